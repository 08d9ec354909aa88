#include "proxy/http/filter.h"

#include <algorithm>
#include <ranges>

#include "proxy/http/exchange.h"

namespace weir::proxy {
namespace {

Result<void> wrap_request_body(Exchange& x, const Filter& filter) noexcept {
  BodyFilter* const wrapped = WEIR_TRY(filter.wrap_request_body(x, x.body.source()));
  if (wrapped != nullptr) x.body.read_from(*wrapped);
  return {};
}

}  // namespace

Task<Result<Verdict>> Filter::on_request_async(Exchange& x) const { co_return on_request(x); }

FilterChain::FilterChain(Filters filters)
    : filters_(std::move(filters)),
      is_async_(std::ranges::any_of(filters_, [](const auto& f) { return f->is_async(); })) {
  for (const auto& filter : filters_) {
    if (const BodyStore* store = filter->response_store()) response_store_ = store;
  }
}

Result<Verdict> FilterChain::filter_request(Exchange& x) const noexcept {
  for (const auto& filter : filters_) {
    const Result<Verdict> verdict = filter->on_request(x);
    if (!verdict || *verdict == Verdict::reply) return verdict;
    WEIR_TRY(wrap_request_body(x, *filter));
  }
  return Verdict::proceed;
}

Task<Result<Verdict>> FilterChain::filter_request_async(Exchange& x) const {
  for (const auto& filter : filters_) {
    Result<Verdict> verdict = Verdict::proceed;
    if (filter->is_async()) {
      verdict = co_await filter->on_request_async(x);
    } else {
      verdict = filter->on_request(x);
    }
    if (!verdict || *verdict == Verdict::reply) co_return verdict;
    WEIR_CO_TRY(wrap_request_body(x, *filter));
  }
  co_return Verdict::proceed;
}

Result<void> FilterChain::filter_response(Exchange& x, http::ResponseHead& head,
                                          Origin origin) const noexcept {
  for (const auto& filter : filters_ | std::views::reverse) {
    WEIR_TRY(filter->on_response(x, head, origin));
  }
  return {};
}

Result<net::BodySource*> FilterChain::wrap_response_body(Exchange& x, http::ResponseHead& head,
                                                         net::BodySource& body) const noexcept {
  net::BodySource* outermost = &body;
  for (const auto& filter : filters_ | std::views::reverse) {
    BodyFilter* const wrapped = WEIR_TRY(filter->wrap_response_body(x, head, *outermost));
    if (wrapped != nullptr) outermost = wrapped;
  }
  return outermost;
}

void FilterChain::end(const Exchange& x) const noexcept {
  for (const auto& filter : filters_) filter->on_done(x);
}

}  // namespace weir::proxy
