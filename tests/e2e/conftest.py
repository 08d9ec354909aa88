"""The fixtures of these tests; those of other folders have them too."""
from fixtures import (  # noqa: F401
    ends, nginx, pytest_sessionstart, script, serve, server, start)
