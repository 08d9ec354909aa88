// What reading and writing heads and chunks costs, in ns and bytes a second.

#include <array>
#include <benchmark/benchmark.h>
#include <string>
#include <string_view>

#include "protocol/http/path.h"
#include "protocol/http1/chunked.h"
#include "protocol/http1/parse_head.h"
#include "protocol/http1/write_head.h"

namespace weir::http1 {
namespace {

// The least that is a request: 40 bytes.
constexpr std::string_view kShort = "GET / HTTP/1.1\r\nHost: example.com:80\r\n\r\n";
static_assert(kShort.size() == 40);

constexpr std::string_view kBrowser =
    "GET /articles/2026/08/load-balancing?utm_source=feed&page=2 HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Referer: https://www.example.com/articles/2026/08/\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=3f9a7c1be2d84056a1f7c3d9e8b20415; theme=dark; consent=1; seen=1755907200\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "If-None-Match: \"5d8c72a5edda8d6a\"\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Priority: u=0, i\r\n"
    "\r\n";

constexpr std::string_view kWrk =
    "GET /128 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk/4.1.0 (linux x86_64)\r\n"
    "Accept: application/octet-stream\r\n\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.27.1\r\nDate: Sun, 23 Aug 2026 10:00:00 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\nContent-Length: 12832\r\n"
    "Last-Modified: Sat, 22 Aug 2026 09:12:44 GMT\r\nConnection: keep-alive\r\n"
    "ETag: \"66c70a1c-3220\"\r\nCache-Control: max-age=3600\r\nAccept-Ranges: bytes\r\n\r\n";

using Storage = std::array<http::Field, 128>;

void count_bytes(benchmark::State& bench, std::size_t bytes) {
  bench.SetBytesProcessed(static_cast<std::int64_t>(bench.iterations() * bytes));
}

void parse_request(benchmark::State& bench, std::string_view bytes) {
  Storage storage;
  for (auto _ : bench) {
    http::RequestHead head;
    head.fields = http::FieldList(storage);
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(parse_request_head(bytes, 0, {}, head));
    benchmark::DoNotOptimize(head);
  }
  count_bytes(bench, bytes.size());
}

void parse_response(benchmark::State& bench) {
  Storage storage;
  for (auto _ : bench) {
    http::ResponseHead head;
    head.fields = http::FieldList(storage);
    benchmark::DoNotOptimize(parse_response_head(kResponse, 0, http::Method::get, {}, head));
    benchmark::DoNotOptimize(head);
  }
  count_bytes(bench, kResponse.size());
}

void write_request(benchmark::State& bench, std::string_view bytes) {
  Storage storage;
  http::RequestHead head;
  head.fields = http::FieldList(storage);
  benchmark::DoNotOptimize(parse_request_head(bytes, 0, {}, head));
  std::array<char, 4096> out;
  for (auto _ : bench) {
    benchmark::DoNotOptimize(write_request_head(out, head));
    benchmark::ClobberMemory();
  }
  count_bytes(bench, bytes.size());
}

void write_response(benchmark::State& bench) {
  Storage storage;
  http::ResponseHead head;
  head.fields = http::FieldList(storage);
  benchmark::DoNotOptimize(parse_response_head(kResponse, 0, http::Method::get, {}, head));
  std::array<char, 4096> out;
  for (auto _ : bench) {
    benchmark::DoNotOptimize(write_response_head(out, head, ConnectionField::omit));
    benchmark::ClobberMemory();
  }
  count_bytes(bench, kResponse.size());
}

// A body of 64 KiB in chunks of this size.
void decode_chunks(benchmark::State& bench) {
  const auto size = static_cast<std::size_t>(bench.range(0));
  std::string body;
  for (std::size_t left = 64 * 1024; left != 0; left -= size) {
    std::array<char, kChunkHeaderBytesMax> header;
    body.append(header.data(), write_chunk_header(header, size));
    body.append(size, 'x').append(kChunkEnd);
  }
  body += kLastChunk;
  for (auto _ : bench) {
    ChunkedDecoder decoder;
    std::string_view left = body;
    while (!left.empty()) left.remove_prefix(decoder.feed(left).consumed);
    benchmark::DoNotOptimize(decoder);
  }
  count_bytes(bench, body.size());
}

void normalize(benchmark::State& bench, std::string_view path) {
  std::array<char, 256> out;
  for (auto _ : bench) {
    benchmark::DoNotOptimize(path);
    benchmark::DoNotOptimize(http::normalize_path(path, out));
  }
  count_bytes(bench, path.size());
}

BENCHMARK_CAPTURE(parse_request, browser, kBrowser);
BENCHMARK_CAPTURE(parse_request, wrk, kWrk);
BENCHMARK_CAPTURE(parse_request, short, kShort);
BENCHMARK(parse_response);
BENCHMARK_CAPTURE(write_request, browser, kBrowser);
BENCHMARK_CAPTURE(write_request, wrk, kWrk);
BENCHMARK(write_response);
BENCHMARK(decode_chunks)->Arg(16)->Arg(1024)->Arg(16 * 1024);
BENCHMARK_CAPTURE(normalize, plain, "/articles/2026/08/load-balancing");
BENCHMARK_CAPTURE(normalize, escaped, "/articles/2026/%30%38/./load-balancing");

}  // namespace
}  // namespace weir::http1
