//===- ElementRuns.cpp - How far columns can be walked together -----------===//

#include "codegen/cpu/Element.h"

#include <numeric>

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

RankedTensorType tensorType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

} // namespace

int64_t Elements::runLength(Value tensor) {
  if (auto known = runs.find(tensor); known != runs.end())
    return known->second;
  int64_t run = computeRun(tensor);
  if (cutsPairs(tensor, run))
    run = 1;
  runs[tensor] = run;
  return run;
}

bool Elements::startsAnywhere(Value tensor) {
  return runLength(tensor) == 0 && !holdsPairs(tensor);
}

/// Whether an interleaved rotation is on the way.
bool Elements::holdsPairs(Value tensor) {
  if (sources.contains(tensor) || isa<BlockArgument>(tensor))
    return false;
  Operation *op = tensor.getDefiningOp();
  if (auto rope = dyn_cast<ir::RopeOp>(op))
    if (rope.getLayout() == ir::RopeLayout::Interleaved)
      return true;
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return isa<RankedTensorType>(operand.getType()) && holdsPairs(operand);
  });
}

/// Lanes take an element's partner from the lane beside it: runs, and the ends
/// of a slice, may not come between the two.
bool Elements::cutsPairs(Value tensor, int64_t run) {
  auto slice = tensor.getDefiningOp<ir::SliceOp>();
  bool isOdd = slice && (slice.getOffset() % 2 || slice.getSize() % 2);
  return run != 1 && (run % 2 || isOdd) && holdsPairs(tensor);
}

/// A run is aligned in the result; its source must be a part of an aligned run
/// of the operand, whatever the view adds to the column.
int64_t Elements::viewRun(ir::ViewOp op) {
  if (isSplat(op))
    return 0;
  int64_t own = op.contiguousElements();
  int64_t source = runLength(op->getOperand(0));
  if (source == 0)
    return own;
  RankedTensorType x = tensorType(op->getOperand(0));
  RankedTensorType y = tensorType(op->getResult(0));
  int64_t run = std::gcd(own, source);
  if (auto slice = dyn_cast<ir::SliceOp>(op.getOperation()))
    return int64_t(slice.getAxis()) == y.getRank() - 1
               ? std::gcd(run, int64_t(slice.getOffset()))
               : run;
  if (y.getRank() == 0 || x.getRank() == 0)
    return 1;
  if (ir::sameExtent(x, x.getRank() - 1, y, y.getRank() - 1))
    return run;
  // A reshaped column is a multiple of the result's extent, and its own.
  int64_t extent = y.getShape().back();
  return ShapedType::isDynamic(extent) ? 1 : std::gcd(run, extent);
}

int64_t Elements::computeRun(Value tensor) {
  if (sources.contains(tensor) || isa<BlockArgument>(tensor))
    return 0;
  auto all = [&](ValueRange operands) {
    int64_t run = 0;
    for (Value operand : operands)
      run = std::gcd(run, runLength(operand));
    return run;
  };
  Operation *op = tensor.getDefiningOp();
  if (isa<ir::PointwiseOp, ir::RandomOp>(op))
    return all(op->getOperands());
  if (auto view = dyn_cast<ir::ViewOp>(op))
    return viewRun(view);
  if (auto row = dyn_cast<ir::RowOp>(op)) {
    if (!row.keepsColumns())
      return 1;
    // Row operands of shorter runs are staged, and then whole.
    int64_t run = 0;
    SmallVector<unsigned> rows = row.rowOperands();
    for (auto [i, operand] : llvm::enumerate(op->getOperands()))
      if (!llvm::is_contained(rows, i))
        run = std::gcd(run, runLength(operand));
    return run;
  }
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case([&](ir::ConcatOp concat) {
        int64_t run = all(concat.getXs());
        if (int64_t(concat.getAxis()) == tensorType(tensor).getRank() - 1)
          for (Value x : concat.getXs())
            run = std::gcd(run, tensorType(x).getShape().back());
        return run;
      })
      .Case([&](ir::RopeOp rope) {
        int64_t run = runLength(rope.getX());
        if (rope.getLayout() == ir::RopeLayout::Half)
          return std::gcd(run, tensorType(tensor).getShape().back() / 2);
        return run % 2 == 0 ? run : 1; // Pairs stay together.
      })
      .Case([&](ir::GatherOp gather) -> int64_t {
        if (tensorType(gather.getTable()).getRank() == 1)
          return 1;
        return runLength(gather.getTable());
      })
      .Case([&](ir::MoeGatherOp gather) { return runLength(gather.getX()); })
      .Case([&](ir::MoeCombineOp sum) { return runLength(sum.getRows()); })
      .Case<ir::TakeAlongOp, ir::ArgmaxOp, ir::SampleOp>(
          [](auto) { return int64_t(1); })
      .Default([](Operation *) { return int64_t(0); });
}

bool Elements::isRowEach(Value tensor) {
  if (sources.contains(tensor) || isa<BlockArgument>(tensor))
    return false;
  Operation *op = tensor.getDefiningOp();
  if (auto row = dyn_cast<ir::RowOp>(op))
    return !row.keepsColumns();
  if (isa<ir::ArgmaxOp, ir::SampleOp>(op))
    return true;
  return isa<ir::PointwiseOp>(op) &&
         llvm::any_of(op->getOperands(),
                      [&](Value operand) { return isRowEach(operand); });
}

//===----------------------------------------------------------------------===//
// What is worth keeping
//===----------------------------------------------------------------------===//

bool Elements::isExpensive(Value tensor) {
  if (auto known = expensive.find(tensor); known != expensive.end())
    return known->second;
  bool result = computeExpensive(tensor);
  expensive[tensor] = result;
  return result;
}

bool Elements::computeExpensive(Value tensor) {
  if (sources.contains(tensor) || isa<BlockArgument>(tensor))
    return false;
  Operation *op = tensor.getDefiningOp();
  if (isa<ir::RowOp>(op))
    return true;
  if (isa<ir::ExpOp, ir::LogOp, ir::SinOp, ir::CosOp, ir::TanhOp, ir::SigmoidOp,
          ir::SiluOp, ir::GeluTanhOp, ir::RopeOp, ir::TakeAlongOp, ir::RandomOp,
          ir::MoeCombineOp>(op))
    return true;
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return isa<RankedTensorType>(operand.getType()) && isExpensive(operand);
  });
}

} // namespace tenon::codegen::cpu
