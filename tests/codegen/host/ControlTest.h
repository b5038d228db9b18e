//===- ControlTest.h - Programs with control flow against the oracle ------===//
//
//   expectSame(R"(func.func @f(%c: tensor<i1>) -> tensor<i1> { ... })",
//              {{flag(true)}, {flag(false)}});
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_CODEGEN_HOST_CONTROLTEST_H
#define TENON_TESTS_CODEGEN_HOST_CONTROLTEST_H

#include "tests/support/CompiledProgram.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <gtest/gtest.h>

namespace tenon::testing {

class ControlTest : public ::testing::Test {
protected:
  ControlTest();

  /// One call of the entry @f; states follow by themselves.
  struct Call {
    std::vector<Value> arguments;
    int64_t emitLimit = -1;
    Call(std::initializer_list<Value> values, int64_t limit = -1)
        : arguments(values), emitLimit(limit) {}
  };

  /// Compiles `text` and makes the calls, one after the other, by the program
  /// and by the interpreter: results and streams are equal.
  void expectSame(llvm::StringRef text, const std::vector<Call> &calls);
  /// Expects that `text` does not compile and the diagnostic holds `message`.
  void expectError(llvm::StringRef text, const std::string &message);

  Value flag(bool value);
  Value number(int32_t value);
  Value numbers(const std::vector<int32_t> &values);
  Value floats(llvm::ArrayRef<int64_t> shape); // each time others
  /// `count` tokens of one sequence from `position` on.
  Value batch(int32_t position, int32_t count);

  mlir::MLIRContext context;
  Random random{7};

private:
  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef text);
  llvm::Expected<Outcome> interpret(mlir::ModuleOp module, const Call &call,
                                    std::vector<Value> &states);
  Weights weights;
};

} // namespace tenon::testing
#endif // TENON_TESTS_CODEGEN_HOST_CONTROLTEST_H
