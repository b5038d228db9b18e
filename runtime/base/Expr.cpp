//===- Expr.cpp - Checked integer expressions over a call's symbols -------===//

#include "runtime/base/Program.h"

#include <algorithm>
#include <array>

namespace tenon::base {
namespace {

bool isLeaf(Expr::Op op) {
  return op == Expr::Op::Constant || op == Expr::Op::Symbol ||
         op == Expr::Op::Register;
}

/// Rounds down; b > 0, so that nothing overflows.
int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Computes `a op b`; false for overflow or a divisor below 1.
bool apply(Expr::Op op, int64_t a, int64_t b, int64_t &value) {
  switch (op) {
  case Expr::Op::Add:
    return !__builtin_add_overflow(a, b, &value);
  case Expr::Op::Sub:
    return !__builtin_sub_overflow(a, b, &value);
  case Expr::Op::Mul:
    return !__builtin_mul_overflow(a, b, &value);
  case Expr::Op::FloorDiv:
    return b > 0 && (value = floorDiv(a, b), true);
  case Expr::Op::CeilDiv:
    return b > 0 && (value = floorDiv(a, b) + (a % b != 0 ? 1 : 0), true);
  case Expr::Op::Mod:
    return b > 0 && (value = a % b + (a % b < 0 ? b : 0), true);
  case Expr::Op::Min:
    return value = std::min(a, b), true;
  case Expr::Op::Max:
    return value = std::max(a, b), true;
  case Expr::Op::Less:
    return value = a < b, true;
  case Expr::Op::Equal:
    return value = a == b, true;
  default:
    return false;
  }
}

/// A printed operand and whether it needs brackets inside a product.
struct Text {
  std::string text;
  int precedence; // 0: +, -; 1: *; 2: names, numbers and calls
};

const char *callName(Expr::Op op) {
  switch (op) {
  case Expr::Op::FloorDiv:
    return "floordiv";
  case Expr::Op::CeilDiv:
    return "ceildiv";
  case Expr::Op::Mod:
    return "mod";
  case Expr::Op::Min:
    return "min";
  case Expr::Op::Max:
    return "max";
  case Expr::Op::Less:
    return "less";
  default:
    return "equal";
  }
}

std::string bracketed(const Text &operand, int precedence) {
  if (operand.precedence >= precedence)
    return operand.text;
  return "(" + operand.text + ")";
}

Text printBinary(Expr::Op op, const Text &a, const Text &b) {
  switch (op) {
  case Expr::Op::Add:
    return {a.text + " + " + b.text, 0};
  case Expr::Op::Sub:
    return {a.text + " - " + bracketed(b, 1), 0};
  case Expr::Op::Mul:
    return {bracketed(a, 1) + " * " + bracketed(b, 2), 1};
  default:
    return {concat(callName(op), "(", a.text, ", ", b.text, ")"), 2};
  }
}

Text printLeaf(const Expr::Term &term, const std::vector<std::string> &names) {
  if (term.op == Expr::Op::Constant)
    return {concat(term.value), 2};
  if (term.op == Expr::Op::Register)
    return {concat("r", term.value), 2};
  if (term.value >= 0 && static_cast<size_t>(term.value) < names.size())
    return {names[term.value], 2};
  return {concat("s", term.value), 2};
}

} // namespace

Expr Expr::constant(int64_t value) { return Expr({{Op::Constant, value}}); }
Expr Expr::symbol(uint32_t index) { return Expr({{Op::Symbol, index}}); }
Expr Expr::reg(uint32_t index) { return Expr({{Op::Register, index}}); }

Expr Expr::binary(Op op, const Expr &a, const Expr &b) {
  int64_t value;
  // An overflow is kept as it is, for `evaluate` to report.
  if (a.isConstant() && b.isConstant() &&
      apply(op, a.terms[0].value, b.terms[0].value, value))
    return constant(value);
  const Expr zero = constant(0), one = constant(1);
  if ((op == Op::Add && a == zero) || (op == Op::Mul && a == one))
    return b;
  if (((op == Op::Add || op == Op::Sub) && b == zero) ||
      ((op == Op::Mul || op == Op::FloorDiv || op == Op::CeilDiv) && b == one))
    return a;
  std::vector<Term> terms = a.terms;
  terms.insert(terms.end(), b.terms.begin(), b.terms.end());
  terms.push_back({op});
  return Expr(std::move(terms));
}

StatusOr<int64_t> Expr::evaluate(const std::vector<int64_t> &symbols,
                                 const std::vector<int64_t> &registers) const {
  if (!isValid(symbols.size(), registers.size()))
    return dataLoss("expects a well-formed expression over ", symbols.size(),
                    " symbols and ", registers.size(), " registers, got '",
                    print({}), "'");
  int64_t value;
  if (!tryEvaluate(symbols.data(), registers.data(), value))
    return outOfRange("the expression '", print({}),
                      "' overflows or divides by a number below 1");
  return value;
}

bool Expr::tryEvaluate(const int64_t *symbols, const int64_t *registers,
                       int64_t &value) const {
  std::array<int64_t, kMaxDepth> stack;
  size_t depth = 0;
  for (const Term &term : terms) {
    switch (term.op) {
    case Op::Constant:
      stack[depth++] = term.value;
      continue;
    case Op::Symbol:
      stack[depth++] = symbols[term.value];
      continue;
    case Op::Register:
      stack[depth++] = registers[term.value];
      continue;
    default:
      --depth;
      if (!apply(term.op, stack[depth - 1], stack[depth], stack[depth - 1]))
        return false;
    }
  }
  value = stack[0];
  return true;
}

bool Expr::isConstant() const {
  return terms.size() == 1 && terms[0].op == Op::Constant;
}

bool Expr::usesRegisters() const {
  return std::any_of(terms.begin(), terms.end(),
                     [](const Term &term) { return term.op == Op::Register; });
}

bool Expr::isValid(size_t symbolCount, size_t registerCount) const {
  size_t depth = 0;
  for (const Term &term : terms) {
    if (term.op > Op::Equal)
      return false;
    size_t bound = term.op == Op::Symbol ? symbolCount : registerCount;
    if (isLeaf(term.op) && term.op != Op::Constant &&
        static_cast<uint64_t>(term.value) >= bound)
      return false;
    if (!isLeaf(term.op) && depth < 2)
      return false;
    depth = isLeaf(term.op) ? depth + 1 : depth - 1;
    if (depth > kMaxDepth)
      return false;
  }
  return depth == 1;
}

std::string Expr::print(const std::vector<std::string> &symbolNames) const {
  std::vector<Text> stack;
  for (const Term &term : terms) {
    if (isLeaf(term.op)) {
      stack.push_back(printLeaf(term, symbolNames));
      continue;
    }
    if (stack.size() < 2)
      return "<malformed>";
    Text b = std::move(stack.back());
    stack.pop_back();
    stack.back() = printBinary(term.op, stack.back(), b);
  }
  return stack.size() == 1 ? stack[0].text : "<malformed>";
}

} // namespace tenon::base
