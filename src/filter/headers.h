#pragma once
// headers: sets, adds and removes header fields of requests and responses, and changes the
// attributes of cookies. Values may be made of what clients and servers send: proxy/template.h says
// what cannot be in them.

#include <optional>
#include <string>
#include <vector>

#include "config/description.h"
#include "filter/field_edit.h"
#include "filter/set_cookie.h"
#include "filter/status_range.h"
#include "proxy/http/filter.h"
#include "proxy/template.h"

namespace weir::filter {

struct EditSettings {
  config::Position position;
  std::optional<FieldName> set;
  std::optional<FieldName> add;
  std::optional<FieldName> remove;
  bool if_absent = false;
};

template <class V>
void describe(V& v, EditSettings& s) {
  v.field("set", s.set, "Name of a field that gets the value, whatever it had.");
  v.field("add", s.add, "Name of a field that is written behind those of that name.");
  v.field("remove", s.remove, "Name of a field that is removed.");
  v.field("if_absent", s.if_absent, "Whether `set` leaves a field alone that is there.");
}

struct RequestEditSettings : EditSettings {
  std::optional<proxy::RequestTemplate> value;
};

template <class V>
void describe(V& v, RequestEditSettings& s) {
  describe(v, static_cast<EditSettings&>(s));
  v.field("value", s.value, "What `set` or `add` writes: text with values of the request.");
}

struct ResponseEditSettings : EditSettings {
  std::optional<proxy::ResponseTemplate> value;
  std::vector<StatusRange> status;
  bool always = false;
};

template <class V>
void describe(V& v, ResponseEditSettings& s) {
  describe(v, static_cast<EditSettings&>(s));
  v.field("value", s.value, "What `set` or `add` writes: text with values of the exchange.");
  v.field("status", s.status, "Statuses of responses that are changed; without it, all.")
      .or_single();
  v.field("always", s.always, "Whether answers that Weir makes because of an error are too.");
}

struct HeadersSettings {
  std::vector<RequestEditSettings> request;
  std::vector<ResponseEditSettings> response;
  std::vector<SetCookieSettings> set_cookie;
};

template <class V>
void describe(V& v, HeadersSettings& s) {
  v.field("request", s.request, "Changes of requests, in this order.");
  v.field("response", s.response, "Changes of responses, in this order.");
  v.field("set_cookie", s.set_cookie,
          "Changes of cookies that servers and filters set, in this order, behind those.");
}

class Headers final : public proxy::Filter {
 public:
  Headers(std::string_view name, config::Position position, const HeadersSettings& settings);

  static void check(const HeadersSettings& settings, config::Position position,
                    config::Problems& problems);

  std::string summary() const override;
  Result<proxy::Verdict> on_request(proxy::Exchange& x) const noexcept override;
  Result<void> on_response(proxy::Exchange& x, http::ResponseHead& head,
                           proxy::Origin origin) const noexcept override;

 private:
  struct ResponseEdit {
    FieldEdit edit;
    std::vector<StatusRange> status;
    bool always;

    bool is_for(std::uint16_t of_response, proxy::Origin origin) const noexcept;
  };
  Result<void> edit_cookies(proxy::Exchange& x, http::ResponseHead& head) const noexcept;

  std::vector<FieldEdit> request_;
  std::vector<ResponseEdit> response_;
  std::vector<SetCookieSettings> set_cookie_;
};

}  // namespace weir::filter
