//! The encodings of contract `danger` that are more than fields one after the other, or refuse
//! something: big endian, all of fixed size.

use super::{Action, Ahead, Danger, Inputs, MAX_DANGER, MAX_SPEED_CM_S, Model, Parameters};
use bytes::BufMut;
use cairn_ledger::Address;
use commonware_codec::{Buf, Error, FixedSize, Read, ReadExt, Write};

impl Write for Danger {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl FixedSize for Danger {
    const SIZE: usize = 2;
}

impl Read for Danger {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let danger = Self(u16::read(buf)?);
        if danger > MAX_DANGER {
            return Err(Error::Invalid("Danger", "is above 10,000 hundredths"));
        }
        Ok(danger)
    }
}

impl Write for Action {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Keep => (0u8, 0u16).write(buf),
            Self::SlowDown(speed_cm_s) => (1u8, *speed_cm_s).write(buf),
            Self::Stop => (2u8, 0u16).write(buf),
        }
    }
}

impl FixedSize for Action {
    const SIZE: usize = 3;
}

impl Read for Action {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        match (u8::read(buf)?, u16::read(buf)?) {
            (0, 0) => Ok(Self::Keep),
            (1, speed_cm_s) => Ok(Self::SlowDown(speed_cm_s)),
            (2, 0) => Ok(Self::Stop),
            _ => Err(Error::Invalid("Action", "expected keep, slow down or stop")),
        }
    }
}

/// Nothing ahead.
const NO_GAP: u16 = u16::MAX;

impl Write for Inputs {
    fn write(&self, buf: &mut impl BufMut) {
        self.class.write(buf);
        self.condition.write(buf);
        self.speed_cm_s.write(buf);
        let ahead = self.ahead.map(|ahead| (ahead.gap_dm, ahead.closing_cm_s));
        ahead.unwrap_or((NO_GAP, 0)).write(buf);
        self.weather.write(buf);
        self.road.write(buf);
    }
}

impl FixedSize for Inputs {
    const SIZE: usize = 1 + 1 + 2 + 4 + 1 + 1;
}

impl Read for Inputs {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let invalid = |what| Err(Error::Invalid("Inputs", what));
        let class = ReadExt::read(buf)?;
        let (condition, speed_cm_s) = (u8::read(buf)?, u16::read(buf)?);
        if !(1..=100).contains(&condition) {
            return invalid("condition is not 1 to 100 percent");
        }
        if speed_cm_s > MAX_SPEED_CM_S {
            return invalid("speed is above 100 m/s");
        }
        let ahead = match (u16::read(buf)?, i16::read(buf)?) {
            (NO_GAP, 0) => None,
            (NO_GAP, _) => return invalid("nothing ahead comes nearer"),
            (gap_dm, closing_cm_s) => Some(Ahead {
                gap_dm,
                closing_cm_s,
            }),
        };
        Ok(Self {
            class,
            condition,
            speed_cm_s,
            ahead,
            weather: ReadExt::read(buf)?,
            road: ReadExt::read(buf)?,
        })
    }
}

impl Write for Model {
    fn write(&self, buf: &mut impl BufMut) {
        self.weights.write(buf);
        self.steady_from.write(buf);
        self.dangerous_from.write(buf);
        let by_class = [self.braking_cm_s2, self.gentle_cm_s2, self.time_gap_ms];
        by_class.as_flattened().iter().for_each(|n| n.write(buf));
        self.visibility_m.iter().for_each(|n| n.write(buf));
        self.friction.write(buf);
        self.reaction_ms.write(buf);
    }
}

impl FixedSize for Model {
    const SIZE: usize = 4 + 2 * Danger::SIZE + 9 * 2 + 4 * 2 + 4 + 2;
}

impl Read for Model {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let model = Self {
            weights: ReadExt::read(buf)?,
            steady_from: ReadExt::read(buf)?,
            dangerous_from: ReadExt::read(buf)?,
            braking_cm_s2: numbers(buf)?,
            gentle_cm_s2: numbers(buf)?,
            time_gap_ms: numbers(buf)?,
            visibility_m: numbers(buf)?,
            friction: ReadExt::read(buf)?,
            reaction_ms: ReadExt::read(buf)?,
        };
        if !model.is_sound() {
            return Err(Error::Invalid(
                "Model",
                "weights, bands or tables contradict",
            ));
        }
        Ok(model)
    }
}

fn numbers<const N: usize>(buf: &mut impl Buf) -> Result<[u16; N], Error> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = u16::read(buf)?;
    }
    Ok(numbers)
}

impl Write for Parameters {
    fn write(&self, buf: &mut impl BufMut) {
        self.keys.write(buf);
        self.life_ms.write(buf);
        self.witnesses.write(buf);
        self.model.write(buf);
    }
}

impl FixedSize for Parameters {
    const SIZE: usize = Address::SIZE + 4 + 1 + Model::SIZE;
}

impl Read for Parameters {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let parameters = Self {
            keys: ReadExt::read(buf)?,
            life_ms: ReadExt::read(buf)?,
            witnesses: ReadExt::read(buf)?,
            model: ReadExt::read(buf)?,
        };
        if parameters.life_ms == 0 || parameters.witnesses == 0 {
            return Err(Error::Invalid("Parameters", "life or witnesses are 0"));
        }
        Ok(parameters)
    }
}
