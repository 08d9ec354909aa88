"""Databases in MaxMind's DB format, by the Perl library that others write theirs with."""
import re
import subprocess
from pathlib import Path

_WRITER = Path(__file__).with_name("write_geo_database.pl")


def write_geo_database(path, places, ip_version=6):
    """places: {network: (latitude, longitude)}; None for one of which only the country is known.

    It takes the place of a file that is there, as whole.
    """
    lines = [" ".join([network, *map(str, place or ())]) for network, place in places.items()]
    written = path.with_suffix(".new")
    subprocess.run(["perl", _WRITER, written, str(ip_version)], input="\n".join(lines), text=True,
                   check=True)
    written.rename(path)


def with_geo_database(text, folder):
    """A configuration with a database that is there, in place of the one that it names, if any."""
    path = folder / "places.mmdb"
    changed, count = re.subn(r"^geo_database: .*", f"geo_database: {path}", text,
                             flags=re.MULTILINE)
    if count:
        write_geo_database(path, {"127.0.0.0/8": (52.52, 13.40)})
    return changed
