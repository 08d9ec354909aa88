#pragma once
// The calls under /api/v1: what runs, and changes to it, as JSON. Each is plain code over
// Operations.

#include <string>
#include <string_view>

#include "admin/http_service.h"
#include "admin/operations.h"

namespace weir::admin {

inline constexpr std::string_view kApiPrefix = "/api/";

// For a path that begins with kApiPrefix. The jobs thread.
HttpAnswer answer_api_call(Operations& operations, const HttpRequest& request);

// A Refusal as the API answers it.
HttpAnswer make_answer(const Refusal& refusal);

// A line for each call.
void append_api_index(std::string& out);

}  // namespace weir::admin
