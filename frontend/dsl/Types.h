//===- Types.h - Element types, dimensions and shapes -----------*- C++ -*-===//
//
//   Dim T = Dim::symbol("T", 1, 512); // any number of tokens up to 512
//   Shape hidden = {T, 640};
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_TYPES_H
#define TENON_FRONTEND_DSL_TYPES_H

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

/// Where the user's code called: every public function takes it as its last
/// argument, by default, so that errors name the user's file and line.
using Site = std::source_location;

/// What an element of a tensor is. Weights may also be stored in blocks; that
/// is the weights file's choice and shows only in `ParameterTypes`.
enum class DType { f32, f16, bf16, i8, i32, i64, i1 };
inline constexpr DType f32 = DType::f32;
inline constexpr DType f16 = DType::f16;
inline constexpr DType bf16 = DType::bf16;
inline constexpr DType i8 = DType::i8;
inline constexpr DType i32 = DType::i32;
inline constexpr DType i64 = DType::i64;
inline constexpr DType i1 = DType::i1;

std::string_view dtypeName(DType type);

/// Which axis of a cache lies in the lanes: !tn.cache's layouts.
enum class CacheLayout { Keys, Values };

/// What a cache holds its rows as; of q8_0, appended rows are quantised.
enum class CacheElement { f32, f16, bf16, q8_0 };

std::string_view cacheElementName(CacheElement element);

/// Finds an element type of caches by its name; nothing when there is none.
std::optional<CacheElement> parseCacheElement(std::string_view name);

/// The extent of an axis: a number, or a symbol with bounds. Equal names are
/// equal extents within an entry.
class Dim {
public:
  Dim(int64_t extent) : number(extent) {} // implicit, so that {T, 640} reads
  static Dim symbol(std::string name, int64_t min, int64_t max,
                    int64_t divisor = 1);

  bool isSymbol() const { return !symbolName.empty(); }
  const std::string &name() const { return symbolName; }
  /// The extent of an axis that is no symbol.
  int64_t extent() const { return number; }
  int64_t min() const { return isSymbol() ? least : number; }
  int64_t max() const { return isSymbol() ? most : number; }
  int64_t divisor() const { return multiple; }

  /// "T" or "640".
  std::string str() const;
  bool operator==(const Dim &other) const;

private:
  int64_t number = 0;
  std::string symbolName;
  int64_t least = 0, most = 0, multiple = 1;
};

/// Extents, outermost axis first.
class Shape {
public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : axes(dims) {}
  explicit Shape(std::vector<Dim> dims) : axes(std::move(dims)) {}

  int64_t rank() const { return static_cast<int64_t>(axes.size()); }
  const Dim &operator[](int64_t axis) const { return axes[axis]; }
  auto begin() const { return axes.begin(); }
  auto end() const { return axes.end(); }

  /// "[T, 640]".
  std::string str() const;
  bool operator==(const Shape &other) const = default;

private:
  std::vector<Dim> axes;
};

} // namespace tenon
#endif // TENON_FRONTEND_DSL_TYPES_H
