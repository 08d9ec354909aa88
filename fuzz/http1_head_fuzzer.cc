// Any bytes, read as the head of a message: in any pieces they mean the same; what is accepted is
// framed as a plain reading of its lines says; and written anew it means the same to the next hop.
// The first byte chooses: request or response, the method that is answered, the limits.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/http1/head_test.h"

namespace {

using weir::http::equals_ignoring_case;
using weir::http::Method;
using weir::http1::ParseStatus;
using weir::http1::test::Message;
using weir::http1::test::Outcome;
using weir::http1::test::Reader;

void require(bool condition) {
  if (!condition) std::abort();
}

Reader make_reader(std::uint8_t choice) {
  constexpr Method kMethods[] = {Method::get, Method::head, Method::connect, Method::post};
  Reader reader;
  reader.message = (choice & 1) == 0 ? Message::request : Message::response;
  reader.request_method = kMethods[choice >> 1 & 3];
  if ((choice & 8) != 0) reader.limits = {.head_bytes = 200, .fields = 4};
  return reader;
}

// Framing, read as plainly as can be from the lines of a head that was accepted.
struct Plain {
  int hosts = 0;
  int lengths = 0;
  int transfer_encodings = 0;
};

Plain read_plainly(std::string_view head) {
  while (head.starts_with("\r\n")) head.remove_prefix(2);
  require(head.ends_with("\r\n\r\n"));
  require(head.find("\r\n\r\n") == head.size() - 4);
  Plain plain;
  head.remove_prefix(head.find("\r\n") + 2);
  while (head != "\r\n") {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    require(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    const std::string_view name = line.substr(0, line.find(':'));
    require(!name.empty() && name.size() < line.size());
    require(name.find_first_of(" \t") == std::string_view::npos);
    plain.hosts += equals_ignoring_case(name, "Host") ? 1 : 0;
    plain.lengths += equals_ignoring_case(name, "Content-Length") ? 1 : 0;
    plain.transfer_encodings += equals_ignoring_case(name, "Transfer-Encoding") ? 1 : 0;
    head.remove_prefix(end + 2);
  }
  return plain;
}

void check_framing(const Reader& reader, std::string_view head, const Outcome& outcome) {
  const Plain plain = read_plainly(head);
  require(plain.lengths + plain.transfer_encodings <= 1);
  if (reader.message == Message::response) return;
  require(plain.hosts <= 1);
  const std::string_view meaning = outcome.meaning;
  const int framing = plain.lengths == 1 ? 1 : plain.transfer_encodings == 1 ? 2 : 0;
  require(meaning.find("\nframing=<" + std::to_string(framing) + ">\n") != meaning.npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Reader reader = make_reader(data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = parse(reader, bytes);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size() / 2 + 1}) {
    if (bytes.size() / piece > 600) continue;
    if (!bytes.empty()) require(parse_in_pieces(reader, bytes, piece) == whole);
  }
  if (whole.status != ParseStatus::complete) return 0;
  require(whole.consumed <= bytes.size());
  check_framing(reader, bytes.substr(0, whole.consumed), whole);

  Reader next = reader;
  next.limits = {};  // the next hop's; Host and framing may make a head longer
  const Outcome again = parse(next, whole.written);
  require(again.status == ParseStatus::complete);
  require(again.consumed == whole.written.size());
  require(again.meaning == whole.meaning);
  require(again.written == whole.written);
  return 0;
}
