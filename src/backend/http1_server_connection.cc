#include "backend/http1_server_connection.h"

#include "backend/server_pool.h"

namespace weir::backend {
namespace {

constexpr http1::HeadLimits kResponseLimits;

}  // namespace

Http1ServerConnection::Http1ServerConnection(ServerPool& owner, Socket& socket) noexcept
    : ServerConnection(owner, socket, 1),
      http_(owner.worker(), stream, kResponseLimits),
      at_rest_(*this) {}

Http1ServerConnection::AtRest::AtRest(Http1ServerConnection& owner) noexcept
    : Waiter([](Waiter& self) noexcept {
        Http1ServerConnection& connection = static_cast<AtRest&>(self).connection;
        connection.pool.lose(connection);
      }),
      connection(owner) {}

net::ServerSideStream& Http1ServerConnection::open_stream() noexcept {
  stream.stop_watching();
  has_ended_well_ = false;
  return http_;
}

void Http1ServerConnection::close_stream(net::ServerSideStream&, Ended ended) noexcept {
  has_ended_well_ = ended == Ended::well;
  if (has_ended_well_) http_.finish_exchange();
}

bool Http1ServerConnection::try_rest() noexcept {
  while (stream.watch_rest(at_rest_) == Started::completed) {
    // Readable, as far as is known: the server has closed, or said what nobody asked for.
    char unasked[1];
    if (!stream.try_receive(unasked).is_would_block()) return false;
  }
  return true;
}

}  // namespace weir::backend
