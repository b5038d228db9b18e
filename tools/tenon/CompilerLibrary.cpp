//===- CompilerLibrary.cpp - libtenon_compiler.so, when needed ------------===//

#include "tools/tenon/CompilerLibrary.h"

#include "runtime/io/MappedFile.h"
#include "tools/compiler/CompilerApi.h"
#include "tools/tenon/ChildProcess.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Interrupt.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <optional>
#include <vector>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char *kLibraryName = "libtenon_compiler.so";

std::vector<fs::path> searchFolders() {
  std::vector<fs::path> folders;
  std::error_code error;
  if (fs::path self = fs::read_symlink("/proc/self/exe", error); !error) {
    folders.push_back(self.parent_path().parent_path() / "lib");
    folders.push_back(self.parent_path());
  }
  const char *variable = std::getenv("LD_LIBRARY_PATH");
  std::istringstream list(variable ? variable : "");
  for (std::string folder; std::getline(list, folder, ':');)
    if (!folder.empty())
      folders.push_back(folder);
  for (const char *folder :
       {"/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib"})
    folders.push_back(folder);
  return folders;
}

/// The functions of the loaded library.
struct Functions {
  decltype(&tenon_compiler_api_version) apiVersion;
  decltype(&tenon_compile_model) compileModel;
  decltype(&tenon_tune_model) tuneModel;
  decltype(&tenon_merge_adapter) mergeAdapter;
  decltype(&tenon_status_code) code;
  decltype(&tenon_status_message) message;
  decltype(&tenon_status_free) free;

  /// Takes a status of the library, which is freed, into one of ours.
  Status take(tenon_status_t status) const {
    if (!status)
      return Status();
    Status taken(code(status), message(status));
    free(status);
    return taken;
  }
};

StatusOr<Functions> load(const std::string &path) {
  // The library stays: LLVM does not survive being unloaded.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return unavailable("expects to load the compiler, got: ", dlerror());
  Functions functions = {};
  Status missing;
  auto find = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(
        dlsym(library, name));
    if (!function)
      missing = internalError("expects '", name, "' in '", path, "', got none");
  };
  find(functions.apiVersion, "tenon_compiler_api_version");
  find(functions.compileModel, "tenon_compile_model");
  find(functions.tuneModel, "tenon_tune_model");
  find(functions.mergeAdapter, "tenon_merge_adapter");
  find(functions.code, "tenon_status_code");
  find(functions.message, "tenon_status_message");
  find(functions.free, "tenon_status_free");
  TENON_RETURN_IF_ERROR(missing);
  if (uint32_t version = functions.apiVersion();
      version != TENON_COMPILER_API_VERSION)
    return internalError("expects '", path, "' to offer version ",
                         TENON_COMPILER_API_VERSION, " of its interface, got ",
                         version, "; install tenon and its library together");
  return functions;
}

/// What the library's progress callback reaches.
struct Watcher {
  Progress &progress;
  std::optional<DeferInterrupt> writing;

  static void onProgress(void *user, const char *stage, size_t done,
                         size_t total) {
    auto *watcher = static_cast<Watcher *>(user);
    // From here on an exit would leave temporary files.
    if (std::string_view(stage) == TENON_STAGE_LINK && !watcher->writing)
      watcher->writing.emplace();
    watcher->progress.update(stage, done, total);
  }

  static void onNotice(void *user, const char *text) {
    static_cast<Watcher *>(user)->progress.clear();
    printNotice(text);
  }
};

const char *orNull(const std::string &text) {
  return text.empty() ? nullptr : text.c_str();
}

tenon_compile_options_t optionsOf(const CompileRequest &request,
                                  Watcher &watcher) {
  tenon_compile_options_t options = TENON_COMPILE_OPTIONS_INIT;
  options.cpu = orNull(request.cpu);
  options.cache_type = orNull(request.cacheType);
  options.latent_attention = orNull(request.latents);
  options.activations = orNull(request.activations);
  options.weights_type = orNull(request.weightsType);
  options.machine = orNull(request.machine);
  options.tuning = orNull(request.tuning);
  options.training = orNull(request.training);
  options.adapters = orNull(request.adapters);
  options.drafts = !request.draft.empty();
  options.dump_folder = orNull(request.dumpFolder);
  options.check_passes = request.checkPasses;
  options.threads = request.threads;
  options.progress = Watcher::onProgress;
  options.progress_user = &watcher;
  options.notice = Watcher::onNotice;
  options.notice_user = &watcher;
  return options;
}

/// What the tuner's callbacks reach.
struct TuneWatcher {
  const TuneRequest &request;
  Progress &progress;

  static void onTuned(void *user, const tenon_tuned_kernel_t *kernel) {
    auto *watcher = static_cast<TuneWatcher *>(user);
    watcher->request.tuned({kernel->label, kernel->symbols, kernel->analytic,
                            kernel->best, kernel->analytic_us, kernel->best_us,
                            kernel->tried, kernel->is_kept != 0,
                            kernel->kernels});
  }
  static int shouldStop(void *) { return DeferInterrupt::isPending(); }
};

} // namespace

StatusOr<CompilerLibrary> CompilerLibrary::find() {
  std::string places;
  for (const fs::path &folder : searchFolders()) {
    fs::path path = folder / kLibraryName;
    std::error_code error;
    if (fs::exists(path, error))
      return CompilerLibrary(path.string());
    places += (places.empty() ? "" : ", ") + folder.string();
  }
  return notFound("expects the compiler, ", kLibraryName, ", in one of ",
                  places,
                  ", got none; install it, or run a .tenon file that "
                  "`tenon compile` made elsewhere");
}

StatusOr<base::Hash128> CompilerLibrary::digest() const {
  TENON_ASSIGN_OR_RETURN(io::MappedFile mapped, io::MappedFile::open(file));
  return base::hashBytes(mapped.bytes().data(), mapped.bytes().size());
}

Status CompilerLibrary::compile(const std::string &model,
                                const std::string &output,
                                const CompileRequest &request,
                                Progress &progress) const {
  // A program runs in less memory than its compiler takes.
  return runInChild([&]() -> Status {
    progress.update("loading the compiler");
    TENON_ASSIGN_OR_RETURN(Functions functions, load(file));
    Watcher watcher{progress, std::nullopt};
    tenon_compile_options_t options = optionsOf(request, watcher);
    Status status = functions.take(
        functions.compileModel(model.c_str(), output.c_str(), &options));
    progress.clear();
    return status;
  });
}

Status CompilerLibrary::tune(const std::string &model,
                             const std::string &output,
                             const TuneRequest &request,
                             Progress &progress) const {
  progress.update("loading the compiler");
  TENON_ASSIGN_OR_RETURN(Functions functions, load(file));
  Watcher watcher{progress, std::nullopt};
  tenon_compile_options_t compile = optionsOf(request.compile, watcher);
  TuneWatcher tuneWatcher{request, progress};
  tenon_tune_options_t options = {sizeof(tenon_tune_options_t),
                                  &compile,
                                  request.budgetSeconds,
                                  request.tokens,
                                  request.context,
                                  TuneWatcher::shouldStop,
                                  TuneWatcher::onTuned,
                                  &tuneWatcher};
  Status status = functions.take(
      functions.tuneModel(model.c_str(), output.c_str(), &options));
  progress.clear();
  return status;
}

StatusOr<MergeResult>
CompilerLibrary::merge(const MergeRequest &request) const {
  TENON_ASSIGN_OR_RETURN(Functions functions, load(file));
  tenon_merge_options_t options = {sizeof(tenon_merge_options_t),
                                   orNull(request.type), request.takesAway};
  tenon_merge_report_t report = {};
  TENON_RETURN_IF_ERROR(functions.take(
      functions.mergeAdapter(request.model.c_str(), request.adapter.c_str(),
                             request.output.c_str(), &options, &report)));
  return MergeResult{report.merged, report.dequantised, report.type};
}

} // namespace tenon::tools
