"""Databases in MaxMind's DB format, by the Perl library that others write theirs with."""
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
