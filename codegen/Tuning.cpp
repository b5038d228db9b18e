//===- Tuning.cpp - Schedules that a search has found ---------------------===//

#include "codegen/Tuning.h"

#include "codegen/host/KernelTable.h"
#include "runtime/base/Hash.h"

#include "absl/strings/str_cat.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace tenon::codegen {

using namespace mlir;
namespace json = llvm::json;

static constexpr int64_t kVersion = 1;

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

std::string describeSymbols(ir::KernelOp kernel, const SymbolRanges &ranges) {
  llvm::StringSet<> named = host::namedSymbols(kernel);
  std::vector<StringRef> names(named.keys().begin(), named.keys().end());
  llvm::sort(names);
  std::string text;
  for (StringRef name : names) {
    auto found = ranges.find(name);
    if (found == ranges.end())
      continue;
    absl::StrAppend(&text, text.empty() ? "" : " ", name.str(), "=",
                    found->second.getMin(), "..", found->second.getMax());
  }
  return text;
}

std::string kernelKey(ir::KernelOp kernel, const SymbolRanges &ranges,
                      base::CpuFeatures features) {
  std::string text =
      absl::StrCat(host::textOf(kernel), "\n", describeSymbols(kernel, ranges),
                   "\n", base::cpuFeaturesName(features));
  base::Hash128 hash = base::hashBytes(text.data(), text.size());
  return llvm::formatv("{0:x-16}{1:x-16}", hash.high, hash.low).str();
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

std::string printTuning(const Tuning &tuning) {
  std::string text;
  llvm::raw_string_ostream out(text);
  json::OStream file(out, 2);
  auto time = [&](StringRef name, double us) {
    file.attributeBegin(name);
    file.rawValue(llvm::formatv("{0:f3}", us).str());
    file.attributeEnd();
  };
  auto printSchedule = [&](ir::ScheduleAttr schedule) {
    file.object([&] {
      file.attribute("kind", ir::stringifyNestKind(schedule.getKind()));
      file.attribute(
          "tile", json::Array{schedule.getTileRows(), schedule.getTileCols()});
      file.attribute("registers", json::Array(schedule.getRegisterRows()));
      if (schedule.getStreamBytes() > 0)
        file.attribute("stream", schedule.getStreamBytes());
    });
  };
  auto printKernel = [&](const TunedKernel &tuned) {
    file.object([&] {
      file.attribute("key", tuned.key);
      file.attribute("label", tuned.label);
      file.attribute("symbols", tuned.symbols);
      file.attribute("cpu", base::cpuFeaturesName(tuned.features));
      time("analytic_us", tuned.analyticUs);
      time("tuned_us", tuned.tunedUs);
      file.attributeArray(
          "schedules", [&] { llvm::for_each(tuned.schedules, printSchedule); });
    });
  };
  file.object([&] {
    file.attribute("tenon_tuning", kVersion);
    file.attributeObject("machine", [&] {
      file.attribute("threads", tuning.machine.threads);
      file.attribute("l1_bytes", tuning.machine.l1Bytes);
      file.attribute("l2_bytes", tuning.machine.l2Bytes);
      file.attribute("l3_bytes", tuning.machine.l3Bytes);
    });
    file.attributeArray("kernels",
                        [&] { llvm::for_each(tuning.kernels, printKernel); });
  });
  out << "\n";
  return text;
}

namespace {
struct ScheduleFields {
  std::string kind;
  std::vector<int64_t> tile, registers;
  int64_t stream = 0;
};

bool fromJSON(const json::Value &value, ScheduleFields &fields,
              json::Path path) {
  json::ObjectMapper mapper(value, path);
  return mapper && mapper.map("kind", fields.kind) &&
         mapper.map("tile", fields.tile) &&
         mapper.map("registers", fields.registers) &&
         mapper.mapOptional("stream", fields.stream);
}
} // namespace

static absl::StatusOr<TunedKernel> parseKernel(const json::Value &value,
                                               MLIRContext *context) {
  TunedKernel tuned;
  std::string cpu;
  std::vector<ScheduleFields> schedules;
  json::Path::Root root("kernel");
  json::ObjectMapper fields(value, root);
  bool isRead = fields && fields.map("key", tuned.key) &&
                fields.map("label", tuned.label) &&
                fields.map("symbols", tuned.symbols) &&
                fields.map("cpu", cpu) &&
                fields.map("analytic_us", tuned.analyticUs) &&
                fields.map("tuned_us", tuned.tunedUs) &&
                fields.map("schedules", schedules);
  if (!isRead)
    return absl::InvalidArgumentError(llvm::toString(root.getError()));
  StatusOr<base::CpuFeatures> features = base::parseCpuFeatures(cpu);
  if (!features.ok())
    return absl::InvalidArgumentError(features.status().message());
  tuned.features = *features;
  for (const ScheduleFields &schedule : schedules) {
    std::optional<ir::NestKind> kind = ir::symbolizeNestKind(schedule.kind);
    if (!kind || schedule.tile.size() != 2)
      return absl::InvalidArgumentError(absl::StrCat(
          "expects a schedule of a known kind with a tile of 2 extents, got '",
          schedule.kind, "' with ", schedule.tile.size()));
    bool streams = schedule.stream != 0;
    if (schedule.stream < 0 || (streams && *kind != ir::NestKind::Rows))
      return absl::InvalidArgumentError(absl::StrCat(
          "expects a stream of >= 0 bytes, of rows alone, got ",
          schedule.stream, " of a schedule of '", schedule.kind, "'"));
    tuned.schedules.push_back(ir::ScheduleAttr::get(
        context, *kind, schedule.tile[0], schedule.tile[1], schedule.registers,
        schedule.stream));
  }
  return tuned;
}

absl::StatusOr<Tuning> parseTuning(StringRef text, MLIRContext *context) {
  llvm::Expected<json::Value> file = json::parse(text);
  if (!file)
    return absl::InvalidArgumentError(
        absl::StrCat("expects JSON, got: ", llvm::toString(file.takeError())));
  const json::Object *fields = file->getAsObject();
  std::optional<int64_t> version =
      fields ? fields->getInteger("tenon_tuning") : std::nullopt;
  if (version != kVersion)
    return absl::InvalidArgumentError(absl::StrCat(
        "expects a file of `tenon tune` with \"tenon_tuning\": ", kVersion,
        version ? absl::StrCat(", got ", *version) : ", got none"));
  const json::Array *kernels = fields->getArray("kernels");
  if (!kernels)
    return absl::InvalidArgumentError("expects a list \"kernels\", got none");
  Tuning tuning;
  if (const json::Object *machine = fields->getObject("machine")) {
    auto read = [&](const char *name, int64_t &into) {
      into = machine->getInteger(name).value_or(into);
    };
    read("threads", tuning.machine.threads);
    read("l1_bytes", tuning.machine.l1Bytes);
    read("l2_bytes", tuning.machine.l2Bytes);
    read("l3_bytes", tuning.machine.l3Bytes);
  }
  for (auto [number, value] : llvm::enumerate(*kernels)) {
    absl::StatusOr<TunedKernel> tuned = parseKernel(value, context);
    if (!tuned.ok())
      return absl::InvalidArgumentError(
          absl::StrCat("kernel ", number, ": ", tuned.status().message()));
    tuning.kernels.push_back(*std::move(tuned));
  }
  return tuning;
}

//===----------------------------------------------------------------------===//
// The target
//===----------------------------------------------------------------------===//

TunedTarget::TunedTarget(const Target &base, Tuning found,
                         ArrayRef<base::CpuFeatures> sets)
    : analytic(base), tuning(std::move(found)), features(sets),
      uses(tuning.kernels.size(), Use::None) {
  llvm::sort(features, std::greater<>());
  for (auto [number, tuned] : llvm::enumerate(tuning.kernels))
    byKey[tuned.key] = number;
}

bool TunedTarget::isAdmitted(const TunedKernel &tuned, ir::KernelOp kernel,
                             const SymbolRanges &ranges) const {
  if (tuned.schedules.size() != kernel->getNumRegions())
    return false;
  for (auto [nest, schedule] : llvm::enumerate(tuned.schedules))
    if (!admits(kernel, nest, schedule, ranges))
      return false;
  return true;
}

ir::ScheduleAttr TunedTarget::schedule(ir::KernelOp kernel, unsigned nest,
                                       const SymbolRanges &ranges) const {
  for (base::CpuFeatures set : features) {
    auto found = byKey.find(kernelKey(kernel, ranges, set));
    if (found == byKey.end())
      continue;
    size_t number = found->second;
    bool isUsable = isAdmitted(tuning.kernels[number], kernel, ranges);
    {
      std::lock_guard<std::mutex> lock(mutex);
      uses[number] = isUsable ? Use::Taken : Use::Refused;
    }
    if (isUsable)
      return tuning.kernels[number].schedules[nest];
  }
  return analytic.schedule(kernel, nest, ranges);
}

std::vector<std::string> TunedTarget::notices() const {
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<std::string> lines;
  std::string unmet;
  int64_t unmetCount = 0;
  for (auto [tuned, use] : llvm::zip_equal(tuning.kernels, uses)) {
    std::string name = absl::StrCat(
        "'", tuned.label, "'", tuned.symbols.empty() ? "" : " of ",
        tuned.symbols, " for ", base::cpuFeaturesName(tuned.features));
    if (use == Use::Refused)
      lines.push_back(absl::StrCat("the schedules of ", name,
                                   " do not fit the kernel; it keeps its own"));
    if (use == Use::None && ++unmetCount == 1)
      unmet = name;
  }
  if (unmetCount > 0)
    lines.push_back(absl::StrCat(unmetCount, " of ", tuning.kernels.size(),
                                 " kernels are not in this program: ", unmet,
                                 unmetCount > 1 ? ", ..." : ""));
  return lines;
}

} // namespace tenon::codegen
