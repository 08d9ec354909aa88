#pragma once
// What Weir answers itself: error pages, and the replies of filters.

#include "proxy/http/exchange.h"

namespace weir::proxy {

// Makes x.response and x.own_body the answer, without fields but Date and, unless it is empty,
// Content-Type. The texts must outlive the exchange. False: there is no room for it.
[[nodiscard]] bool set_answer(Exchange& x, std::uint16_t status, std::string_view content_type,
                              std::string_view body) noexcept;

// Appends a field to one of the exchange's lists, which grows if it has to. False: there is no room
// for it.
[[nodiscard]] bool add_field(Exchange& x, http::FieldList& fields,
                             const http::Field& field) noexcept;

// Writes what set_answer() made, behind the response filters.
Task<void> write_answer(Exchange& x, Origin origin);

// Answers with the status and sentence of x.error, if it has any.
Task<void> write_error_page(Exchange& x);

}  // namespace weir::proxy
