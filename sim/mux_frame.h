#pragma once
// The frames of the simulation's multiplexed protocol: many requests beside each other on one
// connection, each with a window either way, as HTTP/2 has them.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::sim {

enum class FrameKind : std::uint8_t {
  // Lines: "METHOD PATH BYTES" or "STATUS BYTES", then "Name:value". One of the latter alone,
  // behind
  // a body, is trailers. BYTES: the body's length, or "-" where it is not known.
  head,
  data,    // of a body
  reset,   // the stream is over, and not in order
  window,  // the payload's number of bytes may be sent in addition
};

struct Frame {
  FrameKind kind = FrameKind::head;
  bool is_last = false;  // the sender's side of the stream ends behind it
  std::uint32_t stream = 0;
  std::string payload;
};

// A server's port says how many streams a connection to it may carry at a time.
inline constexpr std::uint16_t mux_port(std::uint16_t streams_max) noexcept {
  return static_cast<std::uint16_t>(8100 + streams_max);
}
// 0: the port is none of these.
inline constexpr std::uint16_t streams_max_of(std::uint16_t port) noexcept {
  return port > 8100 ? static_cast<std::uint16_t>(port - 8100) : std::uint16_t{0};
}

// Bytes that the first data of a stream may come to, either way.
inline constexpr std::size_t kFirstWindow = 64;

inline void append_frame(std::string& out, FrameKind kind, bool is_last, std::uint32_t stream,
                         std::string_view payload) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  char header[10] = {static_cast<char>(kind), static_cast<char>(is_last)};
  std::memcpy(header + 2, &stream, sizeof stream);
  std::memcpy(header + 6, &size, sizeof size);
  out.append(header, sizeof header).append(payload);
}

inline void append_window(std::string& out, std::uint32_t stream, std::size_t bytes) {
  append_frame(out, FrameKind::window, false, stream, std::to_string(bytes));
}

// Takes the first whole frame off the bytes. False: there is none.
inline bool take_frame(std::string& bytes, Frame& frame) {
  constexpr std::size_t kHeader = 10;
  if (bytes.size() < kHeader) return false;
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + 6, sizeof size);
  if (bytes.size() < kHeader + size) return false;
  frame.kind = static_cast<FrameKind>(bytes[0]);
  frame.is_last = bytes[1] != 0;
  std::memcpy(&frame.stream, bytes.data() + 2, sizeof frame.stream);
  frame.payload = bytes.substr(kHeader, size);
  bytes.erase(0, kHeader + size);
  return true;
}

}  // namespace weir::sim
