//===- Sugar.cpp - How models are written ---------------------------------===//

#include "frontend/dsl/Sugar.h"

#include "frontend/dsl/OpBuild.h"

#include <limits>

using namespace mlir;

namespace tenon {
namespace {

using detail::Handle;
using detail::OpBuild;
using detail::Tracer;

Tracer *tracerOf(const Tensor &x) { return detail::tracerOf(x.handle()); }

Tensor poison(const Tensor &like) {
  Handle handle;
  handle.tracer = tracerOf(like);
  handle.poisoned = true;
  return Tensor(handle);
}

Tensor fail(const Tensor &x, Site site, const std::string &message) {
  if (Tracer *tracer = tracerOf(x); tracer && !x.isPoisoned())
    tracer->error(site, message);
  return poison(x);
}

/// The tensor's value in the function being traced; null if there is none.
mlir::Value valueOf(const Tensor &x, Site site) {
  Tracer *tracer = tracerOf(x);
  return tracer ? tracer->resolve(x.handle(), site) : mlir::Value();
}

RankedTensorType typeOf(mlir::Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The axis counted from the front; nothing, after noting it, if there is none.
std::optional<int64_t> frontAxis(const char *function, const Tensor &x,
                                 int64_t axis, Site site) {
  int64_t rank = x.rank(), front = axis < 0 ? axis + rank : axis;
  if (front >= 0 && front < rank)
    return front;
  fail(x, site,
       std::string(function) + " expects an axis of " + x.shape().str() +
           ", got " + std::to_string(axis));
  return std::nullopt;
}

Tensor constant(Tracer &tracer, ElementsAttr elements, Site site) {
  auto op = ir::ConstantOp::create(tracer.builder(), tracer.location(site),
                                   elements.getType(), elements);
  return Tensor(tracer.wrap(op.getResult()));
}

/// A tensor of rank 0.
Tensor scalar(Tracer &tracer, double number, Type element, Site site) {
  auto type = RankedTensorType::get({}, element);
  Builder &builder = tracer.builder();
  Attribute value;
  if (isa<FloatType>(element))
    value = builder.getFloatAttr(element, number);
  else
    value = builder.getIntegerAttr(element, static_cast<int64_t>(number));
  return constant(tracer, DenseElementsAttr::get(type, value), site);
}

/// Both tensors in the shape they broadcast to; nothing after an error.
std::optional<std::pair<Tensor, Tensor>> broadcastBoth(const char *function,
                                                       const Tensor &a,
                                                       const Tensor &b,
                                                       Site site) {
  mlir::Value left = valueOf(a, site), right = valueOf(b, site);
  if (!left || !right)
    return std::nullopt;
  Tracer &tracer = *tracerOf(a);
  Location loc = tracer.location(site);
  FailureOr<RankedTensorType> both = ir::infer::broadcastPair(
      typeOf(left), typeOf(right), [&] { return emitError(loc); });
  if (failed(both)) {
    fail(a, site, std::string(function) + " " + tracer.takeDiagnostics());
    return std::nullopt;
  }
  std::vector<Dim> dims;
  for (int64_t axis = 0; axis < both->getRank(); ++axis)
    dims.push_back(tracer.dimOf(*both, axis));
  Shape shape{std::move(dims)};
  auto fit = [&](const Tensor &x) {
    return x.shape() == shape ? x : broadcast(x, shape, site);
  };
  return std::pair(fit(a), fit(b));
}

using Binary = Tensor(const Tensor &, const Tensor &, Site);

/// Numbers become tensors of the other operand's element type; shapes meet.
Tensor binary(const char *name, const Operand &a, const Operand &b,
              Binary *function) {
  const Tensor &known = a.isNumber ? b.tensor : a.tensor;
  Site site = a.isNumber ? b.site : a.site;
  Tracer *tracer = tracerOf(known);
  mlir::Value value = valueOf(known, site);
  if (!tracer || !value)
    return poison(known);
  auto tensor = [&](const Operand &operand) {
    if (!operand.isNumber)
      return operand.tensor;
    return scalar(*tracer, operand.number, typeOf(value).getElementType(),
                  site);
  };
  if (isa<ir::BlockType>(typeOf(value).getElementType()))
    return fail(known, site,
                std::string(name) + " expects plain elements, got a weight "
                                    "stored in blocks; `to(f32)` unpacks it");
  auto both = broadcastBoth(name, tensor(a), tensor(b), site);
  if (!both)
    return poison(known);
  return function(both->first, both->second, site);
}

template <Predicate predicate>
Tensor compared(const Tensor &a, const Tensor &b, Site site) {
  return compare(a, b, predicate, site);
}

/// Reduces an axis and keeps it with extent 1. Other axes than the last one
/// are moved there, and back.
Tensor reduced(const char *name, ir::Reduction kind, const Tensor &x,
               int64_t axis, Site site) {
  std::optional<int64_t> front = frontAxis(name, x, axis, site);
  if (!front)
    return poison(x);
  Shape shape = x.shape();
  int64_t last = shape.rank() - 1;
  std::vector<int64_t> swap(shape.rank());
  for (int64_t i = 0; i <= last; ++i)
    swap[i] = i;
  std::swap(swap[*front], swap[last]);
  Tensor rows = *front == last ? x : transpose(x, swap, site);
  OpBuild op("reduce", site);
  op.operand("x", rows);
  op.attribute("kind", static_cast<int32_t>(kind));
  op.infer(ir::infer::reduce);
  std::vector<Dim> dims(shape.begin(), shape.end());
  dims[*front] = dims[last];
  dims[last] = 1;
  Tensor y = reshape(op.result<Tensor>(0), Shape(std::move(dims)), site);
  return *front == last ? y : transpose(y, swap, site);
}
} // namespace

//===----------------------------------------------------------------------===//
// Handles
//===----------------------------------------------------------------------===//

Shape Tensor::shape() const {
  if (held.parameter)
    return held.parameter->shape;
  if (!held.value)
    return Shape();
  auto type = typeOf(mlir::Value::getFromOpaquePointer(held.value));
  std::vector<Dim> dims;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    dims.push_back(held.tracer->dimOf(type, axis));
  return Shape(std::move(dims));
}

Dim Tensor::dim(int64_t axis, Site site) const {
  std::optional<int64_t> front = frontAxis("dim", *this, axis, site);
  return front ? shape()[*front] : Dim(1);
}

DType Tensor::dtype() const {
  Type element;
  if (held.value)
    element =
        typeOf(mlir::Value::getFromOpaquePointer(held.value)).getElementType();
  else if (mlir::Value value = valueOf(*this, Site::current()))
    element = typeOf(value).getElementType();
  if (!element || isa<ir::BlockType>(element) || element.isF32())
    return DType::f32;
  if (element.isF16())
    return DType::f16;
  if (element.isBF16())
    return DType::bf16;
  if (element.isInteger(1))
    return DType::i1;
  if (element.isInteger(8))
    return DType::i8;
  return element.isInteger(32) ? DType::i32 : DType::i64;
}

Tensor Tensor::to(DType type, Site site) const {
  mlir::Value value = valueOf(*this, site);
  if (!value)
    return poison(*this);
  Type element = typeOf(value).getElementType();
  if (isa<ir::BlockType>(element))
    return unpack(*this, site).to(type, site);
  if (element == tracerOf(*this)->elementType(type))
    return *this;
  return cast(*this, type, site);
}

/// Rows are quantised where they are appended, of f32.
static DType rowType(CacheElement element) {
  switch (element) {
  case CacheElement::f16:
    return DType::f16;
  case CacheElement::bf16:
    return DType::bf16;
  case CacheElement::f32:
  case CacheElement::q8_0:
    return DType::f32;
  }
  return DType::f32;
}

void Cache::append(const Tensor &x, const Batch &batch, Site site) const {
  if (!held.state) {
    fail(x, site, "append expects a cache of a module, got another value");
    return;
  }
  Tensor rows = x.to(rowType(held.state->element), site);
  Tracer *trace = held.state->tree->tracer;
  if (trace && trace->isDifferentiating()) {
    if (held.state->element == CacheElement::q8_0)
      trace->error(site, "append expects a cache of f32, f16 or bf16 where a "
                         "loss is differentiated, got q8_0");
    trace->rowsOf(*held.state) = trace->resolve(rows.handle(), site);
    return;
  }
  Cache updated = cacheAppend(*this, rows, batch, site);
  if (trace && !updated.handle().poisoned)
    trace->setState(*held.state,
                    mlir::Value::getFromOpaquePointer(updated.handle().value));
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

Tensor operator+(const Operand &a, const Operand &b) {
  return binary("+", a, b, add);
}
Tensor operator-(const Operand &a, const Operand &b) {
  return binary("-", a, b, sub);
}
Tensor operator*(const Operand &a, const Operand &b) {
  return binary("*", a, b, mul);
}
Tensor operator/(const Operand &a, const Operand &b) {
  return binary("/", a, b, div);
}
Tensor operator-(const Operand &x) { return neg(x.tensor, x.site); }
Tensor operator<(const Operand &a, const Operand &b) {
  return binary("<", a, b, compared<Predicate::LT>);
}
Tensor operator<=(const Operand &a, const Operand &b) {
  return binary("<=", a, b, compared<Predicate::LE>);
}
Tensor operator>(const Operand &a, const Operand &b) {
  return binary(">", a, b, compared<Predicate::GT>);
}
Tensor operator>=(const Operand &a, const Operand &b) {
  return binary(">=", a, b, compared<Predicate::GE>);
}

//===----------------------------------------------------------------------===//
// Products and reductions
//===----------------------------------------------------------------------===//

Tensor linear(const Tensor &x, const Tensor &w, const Tensor &bias, Site site) {
  return matmul(x, w, bias, /*transposeA=*/false, /*transposeB=*/true, site);
}

QuantizedRows quantizeRows(const Tensor &x, Site site) {
  constexpr double kMost = 127; // -128 stays unused, so that signs are alike
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  Tensor y = x.to(f32, site);
  Tensor most = max(abs(y, site), -1, site);
  // A maximum ignores NaN; a row with one must not look like numbers.
  Tensor isNan = compare(y, y, Predicate::NE, site).to(f32, site);
  Tensor hasNan = Operand(max(isNan, -1, site), site) > Operand(0, site);
  Tensor scales = select(hasNan, fullLike(most, kNan, f32, site),
                         Operand(most, site) / Operand(kMost, site), site);
  Tensor ratio = Operand(y, site) / Operand(scales, site);
  return {roundEven(ratio, site).to(i8, site), scales};
}

Tensor linearInt8(const Tensor &x, const Tensor &w, const Tensor &scales,
                  Site site) {
  QuantizedRows rows = quantizeRows(x, site);
  Tensor sums = linear(rows.values, w, Tensor(), site).to(f32, site);
  Tensor scaled = Operand(sums, site) * Operand(rows.scales, site);
  return Operand(scaled, site) * Operand(scales, site);
}

Tensor sum(const Tensor &x, int64_t axis, Site site) {
  return reduced("sum", ir::Reduction::Sum, x, axis, site);
}
Tensor max(const Tensor &x, int64_t axis, Site site) {
  return reduced("max", ir::Reduction::Max, x, axis, site);
}
Tensor min(const Tensor &x, int64_t axis, Site site) {
  return reduced("min", ir::Reduction::Min, x, axis, site);
}

Tensor mean(const Tensor &x, int64_t axis, Site site) {
  std::optional<int64_t> front = frontAxis("mean", x, axis, site);
  if (!front)
    return poison(x);
  Dim dim = x.shape()[*front];
  if (dim.isSymbol())
    return fail(x, site,
                "mean expects an axis whose extent is a number, got " +
                    dim.str() + " of " + x.shape().str());
  return Operand(sum(x, *front, site), site) /
         Operand(static_cast<double>(dim.extent()), site);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Tensor range(const Tensor &x, int64_t axis, int64_t begin, int64_t end,
             Site site) {
  std::optional<int64_t> front = frontAxis("range", x, axis, site);
  if (!front)
    return poison(x);
  if (end <= begin)
    return fail(x, site,
                "range expects begin < end, got " + std::to_string(begin) +
                    " and " + std::to_string(end));
  return slice(x, *front, begin, end - begin, 1, site);
}

Tensor splitHeads(const Tensor &x, int64_t heads, Site site) {
  std::optional<int64_t> last = frontAxis("splitHeads", x, -1, site);
  if (!last)
    return poison(x);
  Shape shape = x.shape();
  std::vector<Dim> dims(shape.begin(), shape.end());
  Dim columns = dims.back();
  if (heads < 1 || columns.isSymbol() || columns.extent() % heads)
    return fail(x, site,
                "splitHeads expects a last axis that " + std::to_string(heads) +
                    " heads divide, got " + shape.str());
  dims.back() = heads;
  dims.push_back(columns.extent() / heads);
  return reshape(x, Shape(std::move(dims)), site);
}

Tensor mergeHeads(const Tensor &x, Site site) {
  Shape shape = x.shape();
  if (x.isPoisoned())
    return x;
  if (shape.rank() < 2 || shape[shape.rank() - 1].isSymbol() ||
      shape[shape.rank() - 2].isSymbol())
    return fail(x, site,
                "mergeHeads expects two last axes whose extents are numbers, "
                "got " +
                    shape.str());
  std::vector<Dim> dims(shape.begin(), shape.end() - 1);
  dims.back() = dims.back().extent() * shape[shape.rank() - 1].extent();
  return reshape(x, Shape(std::move(dims)), site);
}

Tensor squeeze(const Tensor &x, int64_t axis, Site site) {
  std::optional<int64_t> front = frontAxis("squeeze", x, axis, site);
  if (!front)
    return poison(x);
  Shape shape = x.shape();
  if (!(shape[*front] == Dim(1)))
    return fail(x, site,
                "squeeze expects axis " + std::to_string(axis) +
                    " of extent 1, got " + shape.str());
  std::vector<Dim> dims(shape.begin(), shape.end());
  dims.erase(dims.begin() + *front);
  return reshape(x, Shape(std::move(dims)), site);
}

Tensor transpose(const Tensor &x, Site site) {
  int64_t rank = x.rank();
  if (x.isPoisoned())
    return x;
  if (rank < 2)
    return fail(x, site, "transpose expects rank >= 2, got " + x.shape().str());
  std::vector<int64_t> axes(rank);
  for (int64_t i = 0; i < rank; ++i)
    axes[i] = i;
  std::swap(axes[rank - 1], axes[rank - 2]);
  return transpose(x, axes, site);
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Tensor fullLike(const Tensor &x, double value, DType type, Site site) {
  if (!valueOf(x, site))
    return poison(x);
  Tracer &tracer = *tracerOf(x);
  return broadcast(scalar(tracer, value, tracer.elementType(type), site),
                   x.shape(), site);
}

Tensor iotaLike(const Tensor &x, int64_t axis, DType type, Site site) {
  std::optional<int64_t> front = frontAxis("iotaLike", x, axis, site);
  mlir::Value value = valueOf(x, site);
  if (!front || !value)
    return poison(x);
  Tracer &tracer = *tracerOf(x);
  auto op = ir::IotaOp::create(
      tracer.builder(), tracer.location(site),
      ir::withElement(typeOf(value), tracer.elementType(type)), *front);
  return Tensor(tracer.wrap(op.getResult()));
}

Tensor constantLike(const Tensor &in, const Shape &shape,
                    const std::vector<float> &elements, Site site) {
  if (!valueOf(in, site))
    return poison(in);
  Tracer &tracer = *tracerOf(in);
  auto type = tracer.tensorType(shape, tracer.elementType(DType::f32), site);
  if (!type)
    return poison(in);
  if (!type->hasStaticShape() ||
      type->getNumElements() != static_cast<int64_t>(elements.size()))
    return fail(in, site,
                "constantLike expects as many elements as " + shape.str() +
                    " has, got " + std::to_string(elements.size()));
  return constant(
      tracer, DenseElementsAttr::get(*type, llvm::ArrayRef(elements)), site);
}

Tensor rope(const Tensor &x, const Batch &batch, const RopeOptions &options,
            Site site) {
  std::optional<int64_t> last = frontAxis("rope", x, -1, site);
  if (!last)
    return poison(x);
  Dim width = x.shape()[*last];
  if (width.isSymbol() || width.extent() % 2)
    return fail(x, site,
                "rope expects an even last axis, got " + x.shape().str());
  Tensor frequency = constantLike(
      x, {width.extent() / 2},
      ir::ropeFrequencies(options.theta, width.extent(), options.scaling),
      site);
  return rope(x, batch, frequency, options.layout, options.amplitude, site);
}

Tensor positions(const Batch &batch, Site site) {
  if (Tracer *tracer = tracerOf(batch.handle()))
    return tracer->positions(batch, site);
  return Tensor();
}

Tensor crossEntropy(const Tensor &logits, const Tensor &targets, Site site) {
  Shape shape = targets.shape();
  std::vector<Dim> dims(shape.begin(), shape.end());
  dims.push_back(1);
  Tensor index = reshape(targets, Shape(dims), site);
  return -squeeze(takeAlong(logSoftmax(logits, site), index, site), -1, site);
}

} // namespace tenon
