/*===- CompilerApi.h - What libtenon_compiler.so offers -------------------===//
 *
 * The compiler is one shared library, opened only when something must be
 * compiled, by programs that link the runtime alone. Nothing but C crosses the
 * border, so that neither side sees the other's C++ library or LLVM.
 *
 *   tenon_compile_options_t options = TENON_COMPILE_OPTIONS_INIT;
 *   options.cpu = "v4";
 *   status = tenon_compile_model("gemma.gguf", "gemma.tenon", &options);
 *
 * Statuses are read and freed by the functions of tenon/status.h that the
 * library itself exports.
 *===----------------------------------------------------------------------===*/

#ifndef TENON_TOOLS_COMPILER_COMPILERAPI_H
#define TENON_TOOLS_COMPILER_COMPILERAPI_H

#include "tenon/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a function or an option's meaning does; callers compare it. */
#define TENON_COMPILER_API_VERSION 3

/* Told of each stage and how many of its steps are done; a total of 0 means
 * that they are not counted. The stages TENON_STAGE_LINK and, after it, the
 * writing of the file make temporary files, which an exit would leave behind.
 * Called on any thread, one at a time. */
typedef void (*tenon_compile_progress_fn)(void *user, const char *stage,
                                          size_t done, size_t total);
#define TENON_STAGE_LINK "link"

/* Told, after compiling, of what the user should know; `text` is a line. */
typedef void (*tenon_compile_notice_fn)(void *user, const char *text);

/* Zero stands for the default of every field but the first. */
typedef struct tenon_compile_options_t {
  size_t size_bytes; /* of this struct, as the caller was compiled with it */
  /* Feature sets code is made for: "v3", "v4", "v4-vnni"; NULL or "all": each.
   */
  const char *cpu;
  /* Element type of the attention caches: "f32", "f16", "bf16", "q8_0" (8-bit
   * integers, a scale for each 32 of them); NULL: the model's. */
  const char *cache_type;
  /* Where to write the IR after each stage; NULL: nowhere. */
  const char *dump_folder;
  int check_passes; /* not 0: compare each pass with the interpreter; slow */
  uint32_t threads; /* 0: every CPU this process may run on */
  tenon_compile_progress_fn progress; /* NULL: nobody is told */
  void *progress_user;
  /* Activations of products: "f32"; "bf16", with bf16 weights; "q8", with
   * blocked ones. NULL: "f32". */
  const char *activations;
  /* "f32", "bf16", "q4_k", ...: the element type of matrices, where
   * `model_path` is a config.json and the weights are drawn; NULL: it names
   * weights. */
  const char *weights_type;
  /* The machine that kernels are cut for: text of runtime/base's
   * TargetDescription; NULL: the generic one. */
  const char *machine;
  /* A file of `tenon_tune_model`, whose kernels are cut as it says; NULL: none.
   */
  const char *tuning;
  tenon_compile_notice_fn notice; /* NULL: nobody is told */
  void *notice_user;
  /* Entries that train the model are made, too: a JSON object, as
   * TrainingOptions.h reads it. NULL: none. */
  const char *training;
  /* Adapters that the model is compiled with, beside its weights: a JSON
   * object, as AdapterOptions.h reads it; `training` may say others. NULL:
   * none.
   */
  const char *adapters;
  int drafts; /* not 0: the entries that draft tokens, as the model can */
  /* Form of latent attention: "absorbed", over latents, or "materialised", over
   * the keys and values made of them; NULL: absorbed, where the weights are
   * made for it. */
  const char *latent_attention;
} tenon_compile_options_t;

#define TENON_COMPILE_OPTIONS_INIT                                             \
  {sizeof(tenon_compile_options_t),                                            \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   0,                                                                          \
   0,                                                                          \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   0,                                                                          \
   NULL}

/* Returns TENON_COMPILER_API_VERSION of the library. Threads: any. */
TENON_API uint32_t tenon_compiler_api_version(void);

/* Compiles the model whose weights lie at `model_path` (a GGUF file, or
 * safetensors with their config.json) and writes a .tenon file that refers to
 * them: program, code for each feature set, tokenizer, reference; neither of
 * the latter where options->weights_type is set. The file appears whole or not
 * at all. `options` may be NULL.
 *
 * Owns:    the caller owns the status.
 * Threads: any; calls may wait for each other.
 * Errors:  NOT_FOUND, DATA_LOSS (no such model, a damaged one),
 *          INVALID_ARGUMENT (an option; weights of another shape than the
 *          configuration says; drafts of a model that cannot), UNIMPLEMENTED
 * (an architecture or format that Tenon has not), UNAVAILABLE (cannot write),
 * INTERNAL (the compiler failed: its diagnostics, one a line).
 */
TENON_API TENON_CHECKED tenon_status_t
tenon_compile_model(const char *model_path, const char *output_path,
                    const tenon_compile_options_t *options);

/* A kernel whose schedules were searched for. */
typedef struct tenon_tuned_kernel_t {
  const char *label;    /* "matmul+add" */
  const char *symbols;  /* "T=1..1": for which values */
  const char *analytic; /* the schedules of the analytic model */
  const char *best;     /* the same, unless `is_kept` */
  /* Of a run, medians; 0 where the kernel notes a failure on drawn inputs. */
  double analytic_us, best_us;
  size_t tried;   /* schedules beside the analytic one */
  int is_kept;    /* not 0: the best is better beyond noise */
  size_t kernels; /* that the model has, whether reached or not */
} tenon_tuned_kernel_t;

typedef struct tenon_tune_options_t {
  size_t size_bytes;
  /* `cpu` names one feature set, which this machine runs; `progress` is told
   * the label of each kernel; `threads` run the kernels, too. */
  const tenon_compile_options_t *compile;
  double budget_seconds; /* after which no new schedule is tried */
  int64_t tokens;        /* of a step, where there can be many */
  int64_t context;       /* of a sequence, with those */
  /* Asked often; not 0 ends the search, which keeps what it found. */
  int (*should_stop)(void *user);
  void (*tuned)(void *user, const tenon_tuned_kernel_t *kernel);
  void *user;
} tenon_tune_options_t;

/* Searches for better schedules of the model's kernels by timing them on this
 * machine, and writes those that it found to `output_path`, whole or not at
 * all. Every schedule that is timed gives the analytic one's bits.
 *
 * Owns:    the caller owns the status.
 * Errors:  those of tenon_compile_model; INTERNAL (a schedule changed a
 *          result).
 */
TENON_API TENON_CHECKED tenon_status_t
tenon_tune_model(const char *model_path, const char *output_path,
                 const tenon_tune_options_t *options);

typedef struct tenon_merge_options_t {
  size_t size_bytes;
  /* Of the weights that change: "f32", "f16", "bf16"; NULL: the type they have,
   * or bf16 for blocked ones of safetensors. */
  const char *type;
  int takes_away; /* not 0: undoes a merge */
} tenon_merge_options_t;

typedef struct tenon_merge_report_t {
  int64_t merged;      /* weights that changed */
  int64_t dequantised; /* blocked ones that became plain */
  const char *type;    /* of the merged ones */
} tenon_merge_report_t;

/* Writes the model's weights with a LoRA adapter in them to `output_path`: a
 * GGUF file for a GGUF file, else a safetensors file. It appears whole or not
 * at all.
 *
 * Owns:    the caller owns the status.
 * Errors:  those of opening a model and an adapter; INVALID_ARGUMENT (an
 *          adapter of another model, a type), UNIMPLEMENTED (bottlenecks),
 *          UNAVAILABLE (cannot write).
 */
TENON_API TENON_CHECKED tenon_status_t tenon_merge_adapter(
    const char *model_path, const char *adapter_path, const char *output_path,
    const tenon_merge_options_t *options, tenon_merge_report_t *report);

#ifdef __cplusplus
}
#endif
#endif /* TENON_TOOLS_COMPILER_COMPILERAPI_H */
