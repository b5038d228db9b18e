//===- Attention.cpp - Over caches, or over the rows of a call ------------===//

#include "frontend/dsl/Sugar.h"
#include "frontend/dsl/Tracer.h"

namespace tenon {
namespace {

using detail::Tracer;

/// The trace, where it differentiates a loss and the cache is a module's; null
/// where attention reads caches.
Tracer *differentiating(const Tensor &q, const Cache &cache) {
  Tracer *tracer = detail::tracerOf(q.handle());
  bool reads = tracer && tracer->isDifferentiating() && cache.handle().state;
  return reads ? tracer : nullptr;
}

/// The rows that this call appended to a cache; poison, after noting it, if it
/// has not.
Tensor appendedRows(Tracer &tracer, const Cache &cache, Site site) {
  if (mlir::Value rows = tracer.rowsOf(*cache.handle().state))
    return Tensor(tracer.wrap(rows));
  tracer.error(site,
               "attention expects keys and values that the same module has "
               "appended where a loss is differentiated, got caches without");
  detail::Handle handle;
  handle.tracer = &tracer;
  handle.poisoned = true;
  return Tensor(handle);
}

} // namespace

Tensor attention(const Tensor &q, const Cache &keys, const Cache &values,
                 const Batch &batch, double scale, Window window, Site site) {
  Tracer *tracer = differentiating(q, keys);
  if (!tracer || !values.handle().state)
    return attentionOverCaches(q, keys, batch, scale, values, window.tokens,
                               window.globals, 0, site);
  Tensor k = appendedRows(*tracer, keys, site);
  if (k.isPoisoned())
    return k;
  Tensor v = appendedRows(*tracer, values, site);
  return selfAttention(q, k, batch, scale, v, window.tokens, window.globals, 0,
                       site)
      .y;
}

Tensor attention(const Tensor &q, const Cache &keys, int64_t valueWidth,
                 const Batch &batch, double scale, Window window, Site site) {
  Tracer *tracer = differentiating(q, keys);
  if (!tracer)
    return attentionOverCaches(q, keys, batch, scale, Cache(), window.tokens,
                               window.globals, valueWidth, site);
  Tensor k = appendedRows(*tracer, keys, site);
  return selfAttention(q, k, batch, scale, Tensor(), window.tokens,
                       window.globals, valueWidth, site)
      .y;
}

} // namespace tenon
