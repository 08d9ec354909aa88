#include "sim/tunnels.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdlib>

#include "sim/pattern.h"

namespace weir::sim {

TunnelRecord& TunnelLedger::begin(std::string client) {
  Network& network = ledger_.network();
  Random& random = network.random();
  TunnelRecord& tunnel = tunnels_.emplace_back();
  tunnel.id = tunnels_.size();
  tunnel.client = std::move(client);
  tunnel.order = static_cast<TunnelOrder>(random.below(3));
  tunnel.up_bytes = random.below(random.below(3) == 0 ? 200'000 : 1000);
  tunnel.down_bytes = random.below(random.below(3) == 0 ? 200'000 : 1000);
  tunnel.began = network.now();
  network.trace().line(network.now(), "tunnel {} begins: order {}, {} bytes up, {} down", tunnel.id,
                       static_cast<int>(tunnel.order), tunnel.up_bytes, tunnel.down_bytes);
  return tunnel;
}

void TunnelLedger::note_reason(std::string_view client, ErrorKind reason) {
  reasons_.insert_or_assign(std::string(client), reason);
}

TunnelRecord* TunnelLedger::find(std::uint64_t id) noexcept {
  return id >= 1 && id <= tunnels_.size() ? &tunnels_[id - 1] : nullptr;
}

void TunnelLedger::finish_whole(TunnelRecord& tunnel) {
  Network& network = ledger_.network();
  network.trace().line(network.now(), "tunnel {} is over", tunnel.id);
  ++whole_;
  const Prospects met = db_.prospects(tunnel.began, tunnel.damaged_by);
  const bool is_server_whole = tunnel.seen == 1 && tunnel.is_up_whole;
  const bool may_fail = ledger_.is_cutting() || ledger_.is_scarce() || met.bad != 0 || met.was_cut;
  if (!is_server_whole && !may_fail) {
    ledger_.violate(
        fmt::format("tunnel {} ended in order, but its server did not get all of it", tunnel.id));
  }
}

void TunnelLedger::finish_broken(TunnelRecord& tunnel, bool is_explained) {
  Network& network = ledger_.network();
  network.trace().line(network.now(), "tunnel {} breaks", tunnel.id);
  if (is_explained || ledger_.is_cutting() || ledger_.is_scarce()) return;
  if (ledger_.is_stopping() && tunnel.seen == 0) return;
  const Prospects met = db_.prospects(tunnel.began, tunnel.damaged_by);
  const auto reason = reasons_.find(tunnel.client);
  const bool has_waited = reason != reasons_.end() && (reason->second == ErrorKind::queue_full ||
                                                       reason->second == ErrorKind::queue_timeout);
  if (met.was_cut || met.was_empty || (has_waited && met.has_limits)) return;
  // Until a server's kernel has it, another one can take it; afterwards it hangs on that one.
  const std::size_t enough = met.unsteady != 0 ? 1 : met.attempts;
  if (met.bad >= enough || (!met.is_covered && met.bad != 0)) return;
  ledger_.violate(fmt::format("tunnel {} broke for no reason", tunnel.id));
}

void TunnelSide::send_pattern(std::uint64_t stream, std::size_t bytes, bool waits) {
  const std::string all = pattern(stream, 0, bytes);
  const std::size_t at_once = waits ? bytes / 2 : bytes;
  out_ += all.substr(0, at_once);
  out_later_ = all.substr(at_once);
  waits_ = waits;
  may_end_ = true;
}

bool TunnelSide::move() { return receive_some() && send_some(); }

void TunnelSide::take(std::string_view bytes) {
  if (in_stream_ == 0) {
    text_ += bytes;
    return;
  }
  if (!is_pattern(in_stream_, in_bytes_, bytes)) has_changed_bytes_ = true;
  in_bytes_ += bytes.size();
}

bool TunnelSide::receive_some() {
  std::array<char, 8192> buffer;
  while (!has_peer_ended_) {
    // A name is read to its end and no further.
    const std::size_t most = in_stream_ == 0 ? 1 : 1 + network_.random().below(buffer.size());
    const IoCount count = end_.receive(std::span(buffer).first(most));
    if (count.is_would_block()) return true;
    if (count.is_failure()) return false;
    if (count.bytes() == 0) {
      has_peer_ended_ = true;
      break;
    }
    take({buffer.data(), count.bytes()});
    if (text_.ends_with('\n') && in_stream_ == 0) return true;
  }
  if (waits_) {
    out_ += out_later_;
    waits_ = false;
  }
  return true;
}

bool TunnelSide::send_some() {
  while (!out_.empty()) {
    const std::size_t most = std::min<std::size_t>(out_.size(), 1 + network_.random().below(8192));
    const IoCount count = end_.send(std::span<const char>(out_).first(most));
    if (count.is_would_block()) return true;
    if (count.is_failure()) return false;
    out_.erase(0, count.bytes());
  }
  if (may_end_ && !waits_ && !std::exchange(has_ended_, true)) end_.shutdown_write();
  return true;
}

void TcpServer::accept(End& end) {
  sessions_.push_back(std::make_unique<Session>(*this, network_, end));
  sessions_.back()->breaks = chance(breaks_);
  end.watch(sessions_.back().get());
}

void TcpServer::serve_all() {
  std::erase_if(sessions_, [this](const auto& session) { return !serve(*session); });
}

// "NUMBER\n". False: it is not whole yet.
bool TcpServer::read_name(Session& session) {
  std::string& text = session.side.unread_text();
  if (!text.ends_with('\n')) return false;
  session.tunnel = tunnels_.find(std::strtoull(text.c_str(), nullptr, 10));
  if (session.tunnel == nullptr) {
    ledger_.violate("a server got the name of a tunnel that nobody opened");
    return false;
  }
  network_.trace().line(network_.now(), "{} takes tunnel {}", network_.name_of(host()),
                        session.tunnel->id);
  TunnelRecord& tunnel = *session.tunnel;
  if (++tunnel.seen > 1) ledger_.violate(fmt::format("tunnel {} was opened twice", tunnel.id));
  session.side.receive_pattern(tunnel.id * 2);
  session.side.send_pattern(tunnel.id * 2 + 1, tunnel.down_bytes,
                            tunnel.order == TunnelOrder::server_waits);
  return true;
}

// False: it is over.
bool TcpServer::serve(Session& session) {
  const bool was_named = session.tunnel != nullptr;
  bool is_whole = session.side.move();
  if (is_whole && !was_named && read_name(session)) is_whole = session.side.move();
  if (session.tunnel != nullptr) {
    TunnelRecord& tunnel = *session.tunnel;
    const std::uint64_t received = session.side.received();
    const bool is_too_much = received > tunnel.up_bytes;
    const bool is_short = session.side.has_peer_ended() && received < tunnel.up_bytes;
    if (session.side.has_changed_bytes() || is_too_much || is_short) {
      ledger_.violate(fmt::format("tunnel {} brought its server {} bytes that were not sent so",
                                  tunnel.id, received));
    }
    if (session.side.has_peer_ended()) tunnel.is_up_whole = true;
    if (session.breaks && received * 2 >= tunnel.up_bytes) {
      tunnel.damaged_by |= std::uint64_t{1} << index_;
      chance(500) ? session.end.reset() : session.end.close();
      return false;
    }
  }
  const bool ended_unnamed = session.tunnel == nullptr && session.side.has_peer_ended();
  if (is_whole && !session.side.is_over() && !ended_unnamed) return true;
  session.end.close();
  return false;
}

TcpClient::TcpClient(TunnelLedger& tunnels, HostId host, HostId weir, std::uint16_t port)
    : tunnels_(tunnels),
      network_(tunnels.ledger().network()),
      host_(host),
      weir_(weir),
      port_(port),
      gives_up_(network_.random().below(8) == 0) {}

void TcpClient::start() {
  std::array<char, INET_ADDRSTRLEN> address;
  const sockaddr_in own = network_.address_of(host_, 0);
  tunnel_ = &tunnels_.begin(::inet_ntop(AF_INET, &own.sin_addr, address.data(), address.size()));
  end_ = &network_.connect(host_, network_.address_of(weir_, port_));
  end_->watch(this);
  side_ = std::make_unique<TunnelSide>(network_, *end_);
  side_->send_text(fmt::format("{}\n", tunnel_->id));
  side_->send_pattern(tunnel_->id * 2, tunnel_->up_bytes,
                      tunnel_->order == TunnelOrder::client_waits);
  side_->receive_pattern(tunnel_->id * 2 + 1);
}

void TcpClient::on_change() noexcept {
  if (std::exchange(is_noted_, true)) return;
  network_.after(Duration(network_.random().below(50'000)), [this, alive = is_alive_] {
    if (*alive) step();
  });
}

bool TcpClient::is_disturbed() const noexcept {
  return network_.disturbed_at(host_, weir_) >= tunnel_->began;
}

void TcpClient::step() {
  is_noted_ = false;
  if (end_ == nullptr || end_->phase() == End::Phase::connecting) return;
  if (end_->phase() == End::Phase::failed || !side_->move()) return end(false);
  if (side_->has_changed_bytes() || side_->received() > tunnel_->down_bytes) {
    tunnels_.ledger().violate(
        fmt::format("tunnel {} brought its client bytes that were not sent so", tunnel_->id));
  }
  if (gives_up_ && side_->received() * 2 >= tunnel_->down_bytes) {
    network_.random().below(2) == 0 ? end_->reset() : end_->vanish();
    end_ = nullptr;
    tunnels_.finish_broken(*tunnel_, true);
    is_over_ = true;
    return;
  }
  const bool is_cut = side_->has_peer_ended() && side_->received() < tunnel_->down_bytes;
  if (is_cut || side_->is_over()) end(!is_cut);
}

void TcpClient::end(bool is_whole) {
  std::exchange(end_, nullptr)->close();
  if (!is_whole) {
    tunnels_.finish_broken(*tunnel_, is_disturbed());
    is_over_ = true;
    return;
  }
  // The server may still have to read the last bytes and their end.
  network_.after(std::chrono::seconds(30), [this] {
    tunnels_.finish_whole(*tunnel_);
    is_over_ = true;
  });
}

}  // namespace weir::sim
