#!/bin/sh
# Makes crossroads.net.xml.gz, crossroads.fcd.xml.gz and sites.csv from the inputs beside this script. Needs python3 with
# pip, and network access to install SUMO. The same inputs give the same vehicles on the same ways.
set -eu

SUMO_VERSION=1.28.0
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "eclipse-sumo==$SUMO_VERSION"
PATH="$work/venv/bin:$PATH"

# 5 x 4 crossings 420 and 360 m apart, with streets of 200 m leading out; 50 km/h; signals with a
# cycle of one minute at the crossings, none where a street leaves the map.
crossings=A0,A1,A2,A3,B0,B1,B2,B3,C0,C1,C2,C3,D0,D1,D2,D3,E0,E1,E2,E3
netgenerate --grid --grid.x-number 5 --grid.y-number 4 --grid.x-length 420 --grid.y-length 360 \
    --grid.attach-length 200 --default.lanenumber 1 --default.speed 13.89 \
    --tls.set "$crossings" --tls.cycle.time 60 --seed 1 \
    --output-file "$work/crossroads.net.xml"

sumo --net-file "$work/crossroads.net.xml" \
    --additional-files "$here/types.add.xml" --route-files "$here/traffic.rou.xml" \
    --begin 0 --end 300 --step-length 1 --seed 1 --no-step-log \
    --fcd-output "$work/fcd.xml" --fcd-output.acceleration

# SUMO begins its output with a comment that has the date and this machine's paths in it.
python3 - "$work" "$here" <<'PY'
import gzip, re, sys

work, here = sys.argv[1:]
def pack(source, target):
    text = open(f"{work}/{source}", encoding="utf-8").read()
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    with open(f"{here}/{target}", "wb") as packed:
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as out:
            out.write(text.encode())
    return text

text = pack("fcd.xml", "crossroads.fcd.xml.gz")
pack("crossroads.net.xml", "crossroads.net.xml.gz")

PICKED = "A1 B0 B2 C1 C3 D0 D2 E1".split()
RANGE_M = 500
rows = [tuple(map(float, xy)) for xy in re.findall(r'<vehicle [^>]*\bx="([^"]+)" y="([^"]+)"', text)]
net = open(f"{work}/crossroads.net.xml", encoding="utf-8").read()
junctions = re.findall(r'<junction id="(\w+)" type="traffic_light" x="([^"]+)" y="([^"]+)"', net)
with open(f"{here}/sites.csv", "w", encoding="utf-8") as out:
    out.write("site_id,x_m,y_m,incoming_edges,vehicle_seconds_within_500m,picked\n")
    for name, x, y in sorted(junctions):
        near = sum((a - float(x)) ** 2 + (b - float(y)) ** 2 <= RANGE_M**2 for a, b in rows)
        incoming = len(re.findall(rf'<edge id="[^":]*" from="\w+" to="{name}"', net))
        out.write(f"{name},{x},{y},{incoming},{near},{int(name in PICKED)}\n")
PY
