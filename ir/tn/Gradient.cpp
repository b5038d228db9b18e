//===- Gradient.cpp - Constraints of tn.gradient --------------------------===//
//
// The interpreter (`ir/reference/Interpreter.cpp`) has its definition.
//
//===----------------------------------------------------------------------===//

#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;

static LogicalResult expectTypes(Operation *op, StringRef what,
                                 TypeRange expected, TypeRange actual) {
  if (expected == actual)
    return success();
  return op->emitOpError("expects ")
         << what << " of types (" << expected << "), got (" << actual << ")";
}

static bool isFloatTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

static LogicalResult verifyWrt(GradientOp op) { // C3
  int64_t count = op.getOperands().size(), last = -1;
  for (int64_t number : op.getWrt()) {
    if (number <= last || number >= count)
      return op.emitOpError("expects wrt to be ascending numbers below ")
             << count << ", got " << number;
    if (!isFloatTensor(op.getOperands()[number].getType()))
      return op.emitOpError("expects operand ")
             << number << " to be a float tensor, got "
             << op.getOperands()[number].getType();
    last = number;
  }
  return success();
}

LogicalResult GradientOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto callee = symbols.lookupNearestSymbolFrom<mlir::func::FuncOp>(
      *this, getCalleeAttr());
  if (!callee) // C1
    return emitOpError("expects a function of the module, got ")
           << getCalleeAttr();
  if (failed(expectTypes(*this, "operands", callee.getArgumentTypes(),
                         getOperandTypes())))
    return failure();
  SmallVector<Type> results(callee.getResultTypes());
  Type scalar = RankedTensorType::get({}, Float32Type::get(getContext()));
  if (results.empty() || results.front() != scalar) // C2
    return emitOpError("expects the callee's first result to be ")
           << scalar << ", got (" << results << ")";
  if (failed(verifyWrt(*this))) // C3
    return failure();
  for (int64_t number : getWrt())
    results.push_back(getOperands()[number].getType());
  return expectTypes(*this, "results", results, getResultTypes()); // C4
}
