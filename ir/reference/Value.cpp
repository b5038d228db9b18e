//===- Value.cpp - Values of the reference interpreter --------------------===//

#include "ir/reference/Value.h"
#include "ir/reference/Evaluate.h"
#include "ir/tn/Tn.h"

#include "tenon/abi.h"

using namespace tenon::ir;
using namespace tenon::ir::ref;

std::optional<int64_t> Batch::slot(int64_t sequenceId, int64_t at) const {
  int64_t perPage = pageBlocks * TENON_CACHE_BLOCK;
  if (sequenceId < 0 || at < 0 || at / perPage >= pagesPerSequence)
    return std::nullopt;
  size_t entry = sequenceId * pagesPerSequence + at / perPage;
  if (entry >= pages.size() || pages[entry] < 0)
    return std::nullopt;
  return pages[entry] * perPage + at % perPage;
}

void Context::fail(int32_t kind, llvm::StringRef op, int64_t row,
                   int64_t value) {
  if (!failure)
    failure = Failure{kind, op.str(), row, value};
}

bool ref::holdsFloats(mlir::Type element) {
  return mlir::isa<mlir::FloatType, BlockType>(element);
}

llvm::Expected<llvm::SmallVector<int64_t, 4>>
ref::resolveShape(mlir::RankedTensorType type, const Context &context) {
  llvm::SmallVector<int64_t, 4> shape(type.getShape());
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    if (!type.isDynamicDim(axis))
      continue;
    auto symbol = context.symbols.find(symbolOf(type, axis));
    if (symbol == context.symbols.end())
      return evaluationError("expects a bound symbol for axis " +
                             llvm::Twine(axis) + " of a result, got '" +
                             symbolOf(type, axis) + "'");
    shape[axis] = symbol->second;
  }
  return shape;
}

llvm::SmallVector<int64_t, 4> ref::unravel(int64_t offset,
                                           llvm::ArrayRef<int64_t> shape) {
  llvm::SmallVector<int64_t, 4> index(shape.size());
  for (int64_t axis = shape.size() - 1; axis >= 0; --axis) {
    index[axis] = offset % shape[axis];
    offset /= shape[axis];
  }
  return index;
}

int64_t ref::ravel(llvm::ArrayRef<int64_t> index,
                   llvm::ArrayRef<int64_t> shape) {
  int64_t offset = 0;
  for (auto [i, extent] : llvm::zip_equal(index, shape))
    offset = offset * extent + i;
  return offset;
}

llvm::Error ref::evaluationError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}
