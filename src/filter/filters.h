#pragma once
// The built-in filters, one line each: what `filters` lists of a configuration can name.

#include <memory>
#include <optional>

#include "config/description.h"
#include "filter/body_limit.h"
#include "filter/buffer_request.h"
#include "filter/buffer_response.h"
#include "filter/headers.h"
#include "filter/redirect.h"
#include "filter/respond.h"
#include "filter/security_headers.h"

namespace weir::filter {

// An entry of a list: the settings of one filter.
struct FilterSettings {
  config::Position position;
  std::optional<RespondSettings> respond;
  std::optional<BodyLimitSettings> body_limit;
  std::optional<BufferRequestSettings> buffer_request;
  std::optional<BufferResponseSettings> buffer_response;
  std::optional<RedirectSettings> redirect;
  std::optional<HeadersSettings> headers;
  std::optional<SecurityHeadersSettings> security_headers;
};

// Calls visit.operator()<FILTER>(name, settings, help) for each.
template <class Settings, class Visit>
void for_each_filter(Settings& s, Visit&& visit) {
  visit.template operator()<Respond>("respond", s.respond, "Replies itself; no server is asked.");
  visit.template operator()<BodyLimit>("body_limit", s.body_limit,
                                       "Refuses requests whose body is larger.");
  visit.template operator()<BufferRequest>(
      "buffer_request", s.buffer_request,
      "Takes the whole body of a request before a server is asked.");
  visit.template operator()<BufferResponse>(
      "buffer_response", s.buffer_response,
      "Takes responses from servers as fast as they come; slow clients do not hold a server.");
  visit.template operator()<Redirect>("redirect", s.redirect, "Sends the client elsewhere.");
  visit.template operator()<Headers>("headers", s.headers, "Changes header fields and cookies.");
  visit.template operator()<SecurityHeaders>("security_headers", s.security_headers,
                                             "Fields by which browsers guard a page.");
}

template <class V>
void describe(V& v, FilterSettings& s) {
  v.exactly_one();
  for_each_filter(s, [&v]<class>(std::string_view name, auto& settings, std::string_view help) {
    v.field(name, settings, help);
  });
}

// Reports settings of a filter that contradict each other. Jobs thread or start.
void check_filter(const FilterSettings& settings, config::Problems& problems);

// The filter that an entry names; null if it was not read. Jobs thread or start.
std::shared_ptr<const proxy::Filter> make_filter(const FilterSettings& settings);

}  // namespace weir::filter
