// Any bytes, read as the head of a message: in any pieces they mean the same, which is what a
// second reading of the RFCs makes of them; and written anew they mean the same to the next hop.
// Scanned in vectors they are what the tables of characters say.
// The first byte chooses: request or response, the method that is answered, the limits.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "plain_http1.h"
#include "protocol/http1/head_test.h"
#include "protocol/http1/scan.h"

namespace {

namespace plain = weir::plain;
using weir::http::Method;
using weir::http1::ParseStatus;
using weir::http1::test::kServerName;
using weir::http1::test::Message;
using weir::http1::test::Outcome;
using weir::http1::test::Reader;

void require(bool condition) {
  if (!condition) std::abort();
}

struct RequestMethod {
  Method method;
  std::string_view text;
};
constexpr RequestMethod kMethods[] = {{Method::get, "GET"},
                                      {Method::head, "HEAD"},
                                      {Method::connect, "CONNECT"},
                                      {Method::post, "POST"}};

Reader make_reader(std::uint8_t choice) {
  Reader reader;
  reader.message = (choice & 1) == 0 ? Message::request : Message::response;
  reader.request_method = kMethods[choice >> 1 & 3].method;
  if ((choice & 8) != 0) reader.limits = {.head_bytes = 200, .fields = 4};
  return reader;
}

plain::Head read_plainly(const Reader& reader, std::string_view bytes) {
  const plain::Limits limits{.head_bytes = reader.limits.head_bytes,
                             .fields = reader.limits.fields};
  if (reader.message == Message::request) return plain::read_request(bytes, limits);
  const auto* method = std::ranges::find(kMethods, reader.request_method, &RequestMethod::method);
  return plain::read_response(bytes, limits, method->text);
}

// As the tests' describe() prints what the parser understood.
std::string print(const Reader& reader, const plain::Head& head) {
  using weir::http1::test::add;
  std::string text;
  if (reader.message == Message::request) {
    add(text, "method", head.method);
    add(text, "authority", head.authority.empty() ? kServerName : head.authority);
    add(text, "path", head.path);
    if (head.query) add(text, "query", *head.query);
  } else {
    add(text, "status", std::to_string(head.status));
    add(text, "reason", head.reason);
  }
  add(text, "framing", std::to_string(static_cast<int>(head.framing)));
  add(text, "bytes", std::to_string(head.length));
  if (reader.message == Message::request) add(text, "target", head.target);
  add(text, "version", "1." + std::to_string(head.minor_version));
  add(text, "persists", head.persists ? "yes" : "no");
  for (const plain::Field& field : head.fields) {
    add(text, field.name, field.value);
    if (!field.passes_on) text += " hop\n";
  }
  return text;
}

void compare(const Reader& reader, std::string_view bytes, const Outcome& outcome) {
  const plain::Head head = read_plainly(reader, bytes);
  require((outcome.status == ParseStatus::incomplete) ==
          (head.verdict == plain::Verdict::incomplete));
  require((outcome.status == ParseStatus::complete) == (head.verdict == plain::Verdict::accepted));
  if (outcome.status == ParseStatus::failed) {
    require(weir::row_of(outcome.kind).http_status == head.refusal);
  }
  if (outcome.status != ParseStatus::complete) return;
  require(outcome.consumed == head.bytes);
  require(outcome.head == print(reader, head));
}

// What is found in blocks is what is found byte by byte, from each place where something was.
void compare_scans(std::string_view bytes) {
  using namespace weir::http1;
  using weir::http::CharacterClass;
  const std::string text = std::string(bytes) + '\n';
  const char* const end = text.data() + text.size();
  for (const auto& [which, skip_fast] : {std::pair{CharacterClass::token, &skip_token},
                                         std::pair{CharacterClass::target, &skip_target},
                                         std::pair{CharacterClass::value, &skip_value}}) {
    for (const char* at = text.data(); at != end; ++at) {
      const char* const stop = skip(which, at);
      require(skip_fast(at, end) == stop);
      at = stop;
    }
  }
  for (std::size_t at = 2, from = 2; at < text.size(); ++at) {
    if (!is_head_end(text.data() + at)) continue;
    require(find_head_end(text, from) == at);
    from = at + 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Reader reader = make_reader(data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  compare_scans(bytes);
  const Outcome whole = parse(reader, bytes);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size() / 2 + 1}) {
    if (bytes.size() / piece > 600) continue;
    if (!bytes.empty()) require(parse_in_pieces(reader, bytes, piece) == whole);
  }
  compare(reader, bytes, whole);
  if (whole.status != ParseStatus::complete) return 0;

  Reader next = reader;
  next.limits = {};  // the next hop's; Host and framing may make a head longer
  const Outcome again = parse(next, whole.written);
  require(again.status == ParseStatus::complete);
  require(again.consumed == whole.written.size());
  require(again.meaning == whole.meaning);
  require(again.written == whole.written);
  return 0;
}
