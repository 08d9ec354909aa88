#include "filter/buffer_request.h"

#include "proxy/http/exchange.h"
#include "proxy/http/store_request.h"

namespace weir::filter {

Task<Result<proxy::Verdict>> BufferRequest::on_request_async(proxy::Exchange& x) const {
  if (proxy::has_body(x.request)) WEIR_CO_TRY(co_await proxy::store_request_body(x, store_));
  co_return proxy::Verdict::proceed;
}

}  // namespace weir::filter
