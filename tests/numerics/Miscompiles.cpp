//===- Miscompiles.cpp - Mistakes that tests must notice ------------------===//

#include "tests/numerics/Miscompiles.h"

#include "ir/tn/Tn.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/PatternMatch.h"

namespace tenon::testing {

namespace {

using llvm::Instruction;
using llvm::Intrinsic::ID;
using namespace llvm::PatternMatch;

/// Calls `change` with every instruction; it says whether it changed the code.
CodeEdit everyInstruction(int &changed, bool (*change)(Instruction &)) {
  CodeEdit edit;
  edit.code = [&changed, change](llvm::Module &module) {
    for (llvm::Function &function : module) {
      llvm::SmallVector<Instruction *> all;
      for (Instruction &instruction : llvm::instructions(function))
        all.push_back(&instruction);
      for (Instruction *instruction : all)
        changed += change(*instruction);
    }
  };
  return edit;
}

/// The same with every op of a kind in the tn program.
template <typename Op> CodeEdit everyOp(int &changed, bool (*change)(Op)) {
  CodeEdit edit;
  edit.program = [&changed, change](mlir::ModuleOp module) {
    module.walk([&](Op op) { changed += change(op); });
  };
  return edit;
}

bool replace(Instruction &instruction, llvm::Value *by) {
  instruction.replaceAllUsesWith(by);
  return true;
}

/// The tail of a row is not written.
bool dropTail(Instruction &instruction) {
  if (!match(&instruction, m_Intrinsic<llvm::Intrinsic::masked_store>()))
    return false;
  instruction.eraseFromParent();
  return true;
}

/// Two roundings become one.
bool contract(Instruction &instruction) {
  llvm::Value *a, *b, *c;
  if (!match(&instruction, m_FAdd(m_FMul(m_Value(a), m_Value(b)), m_Value(c))))
    return false;
  llvm::IRBuilder<> builder(&instruction);
  return replace(instruction, builder.CreateIntrinsic(llvm::Intrinsic::fma,
                                                      a->getType(), {a, b, c}));
}

/// One rounding becomes two.
bool splitFma(Instruction &instruction) {
  llvm::Value *a, *b, *c;
  if (!match(&instruction, m_Intrinsic<llvm::Intrinsic::fma>(
                               m_Value(a), m_Value(b), m_Value(c))))
    return false;
  llvm::IRBuilder<> builder(&instruction);
  return replace(instruction, builder.CreateFAdd(builder.CreateFMul(a, b), c));
}

/// A factor (a scale) is lost.
bool loseScale(Instruction &instruction) {
  if (instruction.getOpcode() != Instruction::FMul)
    return false;
  return replace(instruction, instruction.getOperand(0));
}

/// x / y becomes x * (1 / y).
bool multiplyByReciprocal(Instruction &instruction) {
  if (instruction.getOpcode() != Instruction::FDiv)
    return false;
  llvm::IRBuilder<> builder(&instruction);
  llvm::Value *one = llvm::ConstantFP::get(instruction.getType(), 1.0);
  if (instruction.getOperand(0) == one)
    return false;
  return replace(
      instruction,
      builder.CreateFMul(instruction.getOperand(0),
                         builder.CreateFDiv(one, instruction.getOperand(1))));
}

bool swapSubtraction(Instruction &instruction) {
  if (instruction.getOpcode() != Instruction::FSub)
    return false;
  instruction.getOperandUse(0).swap(instruction.getOperandUse(1));
  return true;
}

/// An f16 value inside a kernel keeps the precision of f32.
bool skipRounding(Instruction &instruction) {
  llvm::Value *x;
  if (!match(&instruction, m_FPExt(m_FPTrunc(m_Value(x)))))
    return false;
  return replace(instruction, x);
}

/// bf16 is cut off instead of rounded.
bool truncateBf16(Instruction &instruction) {
  if (!match(&instruction, m_Add(m_Value(), m_SpecificInt(0x7fff))))
    return false;
  return replace(instruction, instruction.getOperand(0));
}

bool reverseReduction(ir::ReduceOp op) {
  op.setKind(op.getKind() == ir::Reduction::Max ? ir::Reduction::Min
                                                : ir::Reduction::Max);
  return true;
}

bool looseCompare(ir::CompareOp op) {
  using ir::Predicate;
  constexpr Predicate others[] = {Predicate::NE, Predicate::EQ, Predicate::LE,
                                  Predicate::LT, Predicate::GE, Predicate::GT};
  op.setPredicate(others[static_cast<size_t>(op.getPredicate())]);
  return true;
}

bool swapChoices(ir::SelectOp op) {
  mlir::Value a = op.getA();
  op.getAMutable().assign(op.getB());
  op.getBMutable().assign(a);
  return true;
}

/// Whether a matrix and its transpose have one type.
bool isSquare(mlir::Value matrix) {
  auto type = llvm::cast<mlir::RankedTensorType>(matrix.getType());
  int64_t rank = type.getRank();
  return ir::sameExtent(type, rank - 1, type, rank - 2) &&
         type.getDimSize(rank - 1) != 1;
}

bool swapTransposeA(ir::MatmulOp op) {
  if (!isSquare(op.getA()))
    return false;
  op.setTransposeA(!op.getTransposeA());
  return true;
}

bool swapTransposeB(ir::MatmulOp op) {
  auto type = op.getB().getType();
  if (!isSquare(op.getB()) || type.getEncoding() ||
      !llvm::isa<mlir::FloatType>(type.getElementType()))
    return false; // packed and blocked weights are stored by rows
  op.setTransposeB(!op.getTransposeB());
  return true;
}

bool turnOtherPairs(ir::RopeOp op) {
  bool isHalf = op.getLayout() == ir::RopeLayout::Half;
  op.setLayout(isHalf ? ir::RopeLayout::Interleaved : ir::RopeLayout::Half);
  return op.getX().getType().getShape().back() > 2;
}

bool loseWindow(ir::AttentionOp op) {
  bool hadWindow = op.getWindow() != 0;
  op.setWindow(0);
  op.setGlobals(0);
  return hadWindow;
}

bool loseAddition(ir::ScatterOp op) {
  bool added = op.getAdd();
  op.setAdd(false);
  return added;
}

#define TN_EVERYWHERE(change)                                                  \
  [](int &changed) { return everyInstruction(changed, change); }

constexpr Miscompile kAll[] = {
    {"tail not written", TN_EVERYWHERE(dropTail)},
    {"product and sum contracted", TN_EVERYWHERE(contract)},
    {"fused multiply-add split", TN_EVERYWHERE(splitFma)},
    {"scale lost", TN_EVERYWHERE(loseScale)},
    {"division by reciprocal", TN_EVERYWHERE(multiplyByReciprocal)},
    {"subtraction swapped", TN_EVERYWHERE(swapSubtraction)},
    {"f16 not rounded in a kernel", TN_EVERYWHERE(skipRounding)},
    {"bf16 cut off", TN_EVERYWHERE(truncateBf16)},
    {"reduction of another kind",
     [](int &changed) { return everyOp(changed, reverseReduction); }},
    {"comparison off by equality",
     [](int &changed) { return everyOp(changed, looseCompare); }},
    {"choices swapped",
     [](int &changed) { return everyOp(changed, swapChoices); }},
    {"left operand transposed",
     [](int &changed) { return everyOp(changed, swapTransposeA); }},
    {"right operand transposed",
     [](int &changed) { return everyOp(changed, swapTransposeB); }},
    {"other pairs turned",
     [](int &changed) { return everyOp(changed, turnOtherPairs); }},
    {"window of attention lost",
     [](int &changed) { return everyOp(changed, loseWindow); }},
    {"rows written, not added",
     [](int &changed) { return everyOp(changed, loseAddition); }},
};

#undef TN_EVERYWHERE

} // namespace

llvm::ArrayRef<Miscompile> miscompiles() { return kAll; }

} // namespace tenon::testing
