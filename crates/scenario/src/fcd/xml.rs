//! XML as a trace needs it: elements with their places, everything else checked and passed over.

use super::error::{Fault, Location, TraceFault, excerpt};
use super::input::{Exhausted, Input};
use super::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_DEPTH};
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::attributes::{AttrError, Attribute};
use quick_xml::events::{BytesStart, Event};
use std::io::ErrorKind;

/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One piece of a document.
pub(super) enum Token<'b> {
    /// A tag that opens an element, or is a whole element by itself.
    Tag(Tag<'b>),
    /// The end of the innermost open element; its name has been checked.
    Close,
    /// Text that is not white space.
    Text(String),
    /// White space, a comment, a processing instruction.
    Filler,
    /// The end of the document, which may come before the end of its elements.
    End,
}

/// An opening or self-closing tag.
pub(super) struct Tag<'b> {
    content: BytesStart<'b>,
    /// Place of its `<`.
    pub(super) at: Location,
    /// Whether it is self-closing: no [`Token::Close`] follows.
    pub(super) is_leaf: bool,
}

/// An attribute whose size has been checked. Neither part has been decoded.
pub(super) struct Field<'t> {
    pub(super) key: &'t [u8],
    pub(super) value: &'t [u8],
    /// Bytes from the tag's name to the value.
    offset: usize,
}

impl Tag<'_> {
    pub(super) fn name(&self) -> &[u8] {
        self.content.name().into_inner()
    }

    /// What a reader of the file would call it.
    pub(super) fn excerpt(&self) -> String {
        excerpt(self.name())
    }

    /// The attributes, each name once.
    pub(super) fn fields(&self) -> impl Iterator<Item = Result<Field<'_>, Fault>> {
        self.content
            .attributes()
            .enumerate()
            .map(|(index, attribute)| match attribute {
                _ if index == MAX_ATTRIBUTES => Err(self.at.fault(TraceFault::TooManyAttributes)),
                Ok(attribute) => self.field(attribute),
                Err(error) => Err(self.attribute_fault(error)),
            })
    }

    fn field<'t>(&'t self, attribute: Attribute<'t>) -> Result<Field<'t>, Fault> {
        // The value is a slice of the tag, so its place is the difference of the addresses.
        let offset = attribute.value.as_ptr() as usize - self.content.as_ptr() as usize;
        let field = Field {
            key: attribute.key.into_inner(),
            value: &self.content[offset..offset + attribute.value.len()],
            offset,
        };
        if field.value.len() > MAX_ATTRIBUTE_BYTES {
            let attribute = excerpt(field.key);
            return Err(self.fault(&field, TraceFault::AttributeTooLong { attribute }));
        }
        Ok(field)
    }

    /// Attaches a fault to the place of an attribute's value.
    pub(super) fn fault(&self, field: &Field<'_>, fault: TraceFault) -> Fault {
        self.locate(field.offset).fault(fault)
    }

    fn locate(&self, offset: usize) -> Location {
        let content = &self.content[..offset.min(self.content.len())];
        self.at.after(b"<").after(content)
    }

    fn attribute_fault(&self, error: AttrError) -> Fault {
        let (offset, expected) = match error {
            AttrError::ExpectedEq(offset) => (offset, "an attribute's name needs = and a value"),
            AttrError::ExpectedValue(offset) => (offset, "an attribute needs a value after ="),
            AttrError::UnquotedValue(offset) => (offset, "an attribute's value needs quotes"),
            AttrError::ExpectedQuote(offset, _) => (offset, "an attribute's value needs its quote"),
            AttrError::Duplicated(offset, _) => (offset, "an attribute stands twice in a tag"),
        };
        let fault = TraceFault::Malformed(expected.to_owned());
        self.locate(offset).fault(fault)
    }
}

/// Reads a document piece by piece.
pub(super) struct Xml {
    reader: quick_xml::Reader<Input>,
    depth: usize,
}

impl Xml {
    pub(super) fn new(input: Input) -> Self {
        Self {
            reader: quick_xml::Reader::from_reader(input),
            depth: 0,
        }
    }

    /// The next piece and the place where it begins. `buffer` is cleared and holds the piece.
    pub(super) fn next<'b>(
        &mut self,
        buffer: &'b mut Vec<u8>,
    ) -> Result<(Location, Token<'b>), Fault> {
        buffer.clear();
        self.reader.get_mut().ration();
        let mut at = self.reader.get_ref().at();
        if self.reader.get_ref().last() == b'<' {
            // The parser takes the `<` after a text together with the text.
            at.column -= 1;
        }
        let event = match self.reader.read_event_into(buffer) {
            Ok(event) => event,
            Err(error) => return Err(self.fault(at, error)),
        };
        let token = match event {
            Event::Start(content) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(at.fault(TraceFault::TooDeep));
                }
                tag(content, at, false)?
            }
            Event::Empty(content) => tag(content, at, true)?,
            Event::End(_) => {
                self.depth -= 1;
                Token::Close
            }
            Event::Text(text) => {
                // The parser misses a byte order mark that comes in two pieces.
                let text = match text.strip_prefix(BYTE_ORDER_MARK) {
                    Some(rest) if at == Location::START => rest,
                    _ => &text,
                };
                let found = text.trim_ascii_start();
                at = at.after(&text[..text.len() - found.len()]);
                match found.trim_ascii_end() {
                    b"" => Token::Filler,
                    found => Token::Text(excerpt(found)),
                }
            }
            Event::CData(text) => Token::Text(excerpt(&text)),
            Event::GeneralRef(name) => Token::Text(format!("&{};", excerpt(&name))),
            Event::DocType(_) => return Err(at.fault(TraceFault::DocType)),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => Token::Filler,
            Event::Eof => Token::End,
        };
        Ok((at, token))
    }

    /// Passes over the rest of an element that has just been opened within another.
    pub(super) fn skip(&mut self, buffer: &mut Vec<u8>, within: &'static str) -> Result<(), Fault> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if let (at, Token::End) = self.next(buffer)? {
                return Err(at.fault(TraceFault::UnexpectedEnd { open: within }));
            }
        }
        Ok(())
    }

    fn fault(&self, at: Location, error: Error) -> Fault {
        let io = match error {
            Error::Io(io) => io,
            Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
                let (expected, found) = (excerpt(expected.as_bytes()), excerpt(found.as_bytes()));
                let what = format!("</{found}> where </{expected}> should be");
                return at.fault(TraceFault::Malformed(what));
            }
            Error::IllFormed(IllFormedError::UnmatchedEndTag(found)) => {
                let what = format!("</{}> closes nothing", excerpt(found.as_bytes()));
                return at.fault(TraceFault::Malformed(what));
            }
            other => return at.fault(TraceFault::Malformed(other.to_string())),
        };
        if io.get_ref().is_some_and(|inner| inner.is::<Exhausted>()) {
            return at.fault(TraceFault::TooLong);
        }
        let input = self.reader.get_ref();
        input.at().fault(match io.kind() {
            ErrorKind::UnexpectedEof if input.is_packed() => TraceFault::TruncatedGzip,
            ErrorKind::InvalidInput | ErrorKind::InvalidData if input.is_packed() => {
                TraceFault::CorruptGzip(io)
            }
            _ => TraceFault::Read(io),
        })
    }
}

fn tag(content: BytesStart<'_>, at: Location, is_leaf: bool) -> Result<Token<'_>, Fault> {
    if content.name().as_ref().is_empty() {
        let fault = TraceFault::Malformed("an element needs a name".to_owned());
        return Err(at.fault(fault));
    }
    Ok(Token::Tag(Tag {
        content,
        at,
        is_leaf,
    }))
}
