//===- RowsNestStream.cpp - Results that outgrow the caches ---------------===//
//
// An ordinary store reads the line that it overwrites, and puts another one out
// of the caches for a result that is gone from them before anybody reads it.
// Stores past the caches must be aligned, and users' rows begin anywhere: whole
// vectors begin at the row's first aligned column, and what lies before and
// after them is stored as ever.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/RowsNest.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

int64_t bytesOf(Type element) {
  return memoryType(element).getIntOrFloatBitWidth() / 8;
}

class RowStream {
public:
  RowStream(Elements &elements, const Nest &nest,
            ArrayRef<StreamedResult> results, ValueRange row)
      : e(elements.emitter()), elements(elements), nest(nest), results(results),
        row(row), width(e.vectorWidth()) {}

  void emit();

private:
  Value isLarge();
  Value addressOf(const StreamedResult &result, Value column);
  Value firstAligned(Value isLarge);
  SmallVector<Value> inputsLikeRow();

  KernelEmitter &e;
  Elements &elements;
  const Nest &nest;
  ArrayRef<StreamedResult> results;
  ValueRange row;
  int64_t width;
};

/// Whether a result of all rows has as many bytes as the schedule asks for.
Value RowStream::isLarge() {
  RankedTensorType type = results[0].type;
  Value bytes = e.index(bytesOf(type.getElementType()));
  for (Value extent : e.extents(type))
    bytes = e.mul(bytes, extent);
  return e.builder.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::uge, bytes,
                                               e.index(streamBytes(nest)));
}

Value RowStream::addressOf(const StreamedResult &result, Value column) {
  SmallVector<Value> index(row);
  index.push_back(column);
  return e.address(result.pointer, memoryType(result.type.getElementType()),
                   e.linearise(result.type, index));
}

/// The column from which on the first result's vectors are aligned; 0 where
/// they are not stored past the caches.
Value RowStream::firstAligned(Value isLarge) {
  int64_t element = bytesOf(results[0].type.getElementType());
  int64_t vector = width * element;
  Value past = e.misalignment(addressOf(results[0], e.index(0)), vector);
  Value bytes = e.rem(e.sub(e.index(vector), past), vector);
  return arith::SelectOp::create(e.builder, isLarge, e.div(bytes, element),
                                 e.index(0));
}

/// The nest's operands of the results' shape.
SmallVector<Value> RowStream::inputsLikeRow() {
  SmallVector<Value> found;
  for (BlockArgument argument : nest.body->getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (type && !argument.use_empty() && type.getElementType().isIntOrFloat() &&
        sameShape(type, results[0].type))
      found.push_back(argument);
  }
  return found;
}

void RowStream::emit() {
  Value large = isLarge(), first = firstAligned(large);
  SmallVector<Value> tensors, isPast;
  for (const StreamedResult &result : results) {
    int64_t vector = width * bytesOf(result.type.getElementType());
    Value isAligned = arith::CmpIOp::create(
        e.builder, arith::CmpIPredicate::eq,
        e.misalignment(addressOf(result, first), vector), e.index(0));
    tensors.push_back(result.tensor);
    isPast.push_back(arith::AndIOp::create(e.builder, isAligned, large));
  }
  // Where rows meet inside a line, the last one is read after all: in time, or
  // the stores behind it would wait.
  Value isCut = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::ne,
                                      first, e.index(0));
  Value last = e.sub(e.extents(results[0].type).back(), e.index(1));
  e.ifThen(isCut, [&] {
    for (const StreamedResult &result : results)
      e.prefetch(addressOf(result, last));
  });
  auto store = [&](ValueRange index, const Lanes &lanes) {
    SmallVector<Value> values;
    for (const StreamedResult &result : results)
      values.push_back(elements.element(result.tensor, index, lanes));
    for (auto [result, value, past] : llvm::zip_equal(results, values, isPast))
      elements.store(value, result.type, result.pointer, index, lanes, past);
  };
  // Else memory would have nothing to do while statistics are computed.
  elements.prefetchNextRow(inputsLikeRow());
  elements.keepTermsFrom(addressOf(results[0], e.index(0)));
  elements.forColumns(tensors, row, store, first);
  elements.prefetchNextRow({});
  elements.keepTermsFrom({});
}

} // namespace

int64_t streamBytes(const Nest &nest) {
  return nest.schedule ? nest.schedule.getStreamBytes() : 0;
}

bool mayStream(Elements &elements, const Nest &nest, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Type element = type.getElementType();
  return streamBytes(nest) > 0 && element.isIntOrFloat() &&
         element.getIntOrFloatBitWidth() >= 16 &&
         elements.startsAnywhere(tensor);
}

void storeStreamed(Elements &elements, const Nest &nest,
                   ArrayRef<StreamedResult> results, ValueRange row) {
  RowStream(elements, nest, results, row).emit();
}

} // namespace tenon::codegen::cpu
