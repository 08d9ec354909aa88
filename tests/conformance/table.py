"""The table: what RFC 9112 and RFC 9110 ask of an intermediary, row by row, in the order of their sections."""
import rfc9112_bodies
import rfc9112_connections
import rfc9112_messages

ROWS = [*rfc9112_messages.ROWS, *rfc9112_bodies.ROWS, *rfc9112_connections.ROWS]
