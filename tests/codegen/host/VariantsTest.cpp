//===- VariantsTest.cpp - Entries specialised for ranges of symbols -------===//

#include "tests/codegen/host/ControlTest.h"
#include "tests/support/CompiledModule.h"

#include "mlir/Parser/Parser.h"

namespace tenon::testing {
namespace {

// The nest of rows is cut alike for up to 16 rows: one kernel serves both
// variants, for all of their values. @g has no value in the first one.
constexpr const char *kText = R"(
module attributes {tn.variants = [
    {name = "few", bounds = ["T=2..8"]}, {name = "any", bounds = []}]} {
  func.func @f(%x: tensor<?x8xf32, #tn.dims<T, 8>>)
      -> tensor<?x8xf32, #tn.dims<T, 8>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 16>]} {
    %y = tn.softmax %x : tensor<?x8xf32, #tn.dims<T, 8>>
    return %y : tensor<?x8xf32, #tn.dims<T, 8>>
  }
  func.func @g(%x: tensor<?xf32, #tn.dims<T>>) -> tensor<?xf32, #tn.dims<T>>
      attributes {tn.symbols = [#tn.symbol<"T", 1 to 1>]} {
    %y = tn.abs %x : tensor<?xf32, #tn.dims<T>>
    return %y : tensor<?xf32, #tn.dims<T>>
  }
})";

TEST_F(ControlTest, VariantsShareEqualKernels) {
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(kText, &context);
  ASSERT_TRUE(module);
  auto opened = CompiledProgram::compile(*module, runnableFeatures().back());
  ASSERT_TRUE(opened.ok()) << opened.status();
  const base::Program &program = (*opened)->program();
  ASSERT_EQ(program.entries.size(), 2u);
  const base::Entry &f = program.entries[0], &g = program.entries[1];
  ASSERT_EQ(f.variants.size(), 2u);
  EXPECT_EQ(f.variants[0].guards.size(), 1u);
  EXPECT_EQ(f.variants[0].body[0].kernel, f.variants[1].body[0].kernel);
  ASSERT_EQ(g.variants.size(), 1u);
  EXPECT_EQ(g.variants[0].name, "any");
  EXPECT_EQ(program.kernels.size(), 2u);
}

TEST_F(ControlTest, VariantsComputeTheSame) {
  expectSame(kText, {{floats({1, 8})},
                     {floats({2, 8})},
                     {floats({8, 8})},
                     {floats({9, 8})},
                     {floats({16, 8})}});
}

} // namespace
} // namespace tenon::testing
