"""The table: what RFC 9110 and RFC 9112 ask of an intermediary, row by row, in the order of their sections."""
import rfc9110_fields
import rfc9110_methods
import rfc9110_routing
import rfc9110_status
import rfc9112_bodies
import rfc9112_connections
import rfc9112_messages

ROWS = [*rfc9110_fields.ROWS, *rfc9110_routing.ROWS, *rfc9110_methods.ROWS, *rfc9110_status.ROWS,
        *rfc9112_messages.ROWS, *rfc9112_bodies.ROWS, *rfc9112_connections.ROWS]
