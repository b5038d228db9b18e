//===- GraphBuilder.h - What the steps of a random graph share --*- C++ -*-===//
//
// Draws values, makes arguments and adds ops, all from one seed.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_NUMERICS_GRAPHBUILDER_H
#define TENON_TESTS_NUMERICS_GRAPHBUILDER_H

#include "tests/numerics/RandomGraph.h"

#include "ir/tn/Infer.h"

namespace tenon::testing {

using SsaValue = mlir::Value;

class GraphBuilder {
public:
  /// `alone`: the graph is of one op, so steps put nothing before it that it
  /// does not need.
  GraphBuilder(mlir::MLIRContext &context, uint64_t seed, GraphHost host,
               bool alone);

  /// Returns what nothing uses, and the caches.
  RandomGraph finish();

  // Drawing.
  int64_t below(int64_t n) { return static_cast<int64_t>(random() % n); }
  template <typename T, size_t N> T pick(const T (&from)[N]) {
    return from[below(N)];
  }
  /// An extent: mostly one at the edge of a vector or a segment.
  int64_t columns();
  int64_t rows();
  mlir::Type floatType();
  mlir::Type valueType(); // a float, an integer or i1
  /// A blocked type and a number of columns that is whole blocks of it.
  std::pair<mlir::Type, int64_t> blockedColumns();
  bool isAlone() const { return alone; }
  bool isProgram() const { return host == GraphHost::Program; }

  // Types.
  mlir::RankedTensorType typeOf(SsaValue value) {
    return llvm::cast<mlir::RankedTensorType>(value.getType());
  }
  bool isFloat(SsaValue value) {
    return llvm::isa<mlir::FloatType>(typeOf(value).getElementType());
  }
  /// A type whose axes of kDynamic are the symbol T.
  mlir::RankedTensorType tensor(llvm::ArrayRef<int64_t> shape,
                                mlir::Type element);
  llvm::SmallVector<int64_t> extentsOf(mlir::RankedTensorType type);
  int64_t sizeOf(mlir::RankedTensorType type);

  // Values.
  /// One that satisfies `fits`, or null; later ones are likelier.
  SsaValue find(llvm::function_ref<bool(SsaValue)> fits);
  SsaValue findFloat(int64_t leastRank);
  /// A float value of at least `leastRank` axes in whole blocks of `elements`
  /// along the last one; a new argument where there is none.
  SsaValue wholeBlocks(int64_t leastRank, int64_t elements);
  /// A new argument: random, or what `number` gives.
  SsaValue argument(mlir::RankedTensorType type,
                    llvm::function_ref<double()> number = nullptr);
  /// Integers in [0, bound).
  SsaValue indices(mlir::RankedTensorType type, int64_t bound);
  /// Another value of the type, new or old.
  SsaValue another(SsaValue like);
  /// Finite elements, of an argument or computed: for ops that fail at NaN.
  SsaValue finite(mlir::RankedTensorType type);
  /// An argument or a parameter; of a blocked type too.
  SsaValue weight(mlir::RankedTensorType type);

  // Tokens.
  SsaValue batch();
  /// The batch if its sequences are whole, from 0 and one after the other, or a
  /// new one; null where it is another.
  SsaValue wholeBatch();
  /// The number of a new cache; its rows hold what the batch may read, unless
  /// it is a state, which is empty.
  size_t newCache(ir::CacheType type);
  SsaValue cache(size_t number) { return caches[number]; }
  void setCache(size_t number, SsaValue value) { caches[number] = value; }

  // Ops.
  /// Null where a result would be too large.
  mlir::Operation *add(llvm::StringRef name, mlir::ValueRange operands,
                       mlir::TypeRange results,
                       llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
  mlir::Operation *create(mlir::OperationState &state);
  /// An op whose result types a hook infers; null where it refuses.
  mlir::Operation *infer(llvm::StringRef name, ir::infer::Hook hook,
                         mlir::ValueRange operands,
                         llvm::ArrayRef<mlir::NamedAttribute> attributes = {},
                         mlir::Type element = {});
  mlir::NamedAttribute i64(llvm::StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  }
  mlir::NamedAttribute f64(llvm::StringRef name, double value) {
    return builder.getNamedAttr(name, builder.getF64FloatAttr(value));
  }
  mlir::NamedAttribute unit(llvm::StringRef name) {
    return builder.getNamedAttr(name, builder.getUnitAttr());
  }
  /// Fills a region with what `fill` adds and yields what it returns. Values
  /// made inside are forgotten, but for new arguments of the function.
  void fillRegion(mlir::Region &region, mlir::TypeRange arguments,
                  llvm::function_ref<
                      llvm::SmallVector<SsaValue>(mlir::ValueRange arguments)>
                      fill);

  Random random;
  mlir::OpBuilder builder;
  int64_t depth = 0;   // of regions
  int64_t opCount = 0; // in regions, too

private:
  SsaValue addArgument(mlir::Type type, Value value);
  SsaValue parameter(mlir::RankedTensorType type, Value value);
  Value randomValue(mlir::RankedTensorType type);
  ir::ref::Batch randomBatch(bool isWhole);

  GraphHost host;
  bool alone;
  RandomGraph graph;
  llvm::SmallVector<SsaValue> values;
  llvm::SmallVector<SsaValue> blocked; // results of blocked types
  llvm::SmallVector<SsaValue> caches;  // the latest value of each
  SsaValue batchValue;
  ir::ref::Batch tokens;
  int64_t tokenCount; // the value of the symbol T
};

} // namespace tenon::testing
#endif // TENON_TESTS_NUMERICS_GRAPHBUILDER_H
