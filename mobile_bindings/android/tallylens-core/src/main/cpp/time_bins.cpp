// Counts over time.
#include "functions.h"
#include "memory.h"

static_assert(sizeof(tally_bin) == 24);

namespace tally::jni {
namespace {

jint binsCreate(JNIEnv* env, Class, jobject out) {
  const Span result(env, out);
  if (result.bytes < 8) return TALLY_INVALID_ARGUMENT;
  tally_bins_options options{};
  options.struct_size = sizeof options;
  tally_bins_defaults(&options);
  tally_bins* bins = nullptr;
  const int32_t status =
      tally_bins_create(&options, &bins, reinterpret_cast<char*>(result.data), result.bytes);
  return created(status, bins, result);
}

void binsDestroy(JNIEnv*, Class, jlong bins) { tally_bins_destroy(pointer<tally_bins>(bins)); }

jstring binsError(JNIEnv* env, Class, jlong bins) {
  return text(env, tally_bins_error(pointer<tally_bins>(bins)));
}

jint binsAdd(JNIEnv* env, Class, jlong bins, jdouble time_s, jobject keys, jint count) {
  const auto* given = Span(env, keys).as<int32_t>(0, static_cast<size_t>(count < 0 ? 0 : count));
  return tally_bins_add(pointer<tally_bins>(bins), time_s, given, count);
}

jint binsCompact(JNIEnv*, Class, jlong bins) {
  return tally_bins_compact(pointer<tally_bins>(bins));
}

// out: the width in seconds, how many numbers there are, then `capacity` of them.
jint binsNumbers(JNIEnv* env, Class, jlong bins, jint capacity, jobject out) {
  const Span result(env, out);
  auto* facts = result.as<int64_t>(0, 2);
  auto* numbers = result.as<tally_bin>(16, static_cast<size_t>(capacity < 0 ? 0 : capacity));
  if (facts == nullptr || numbers == nullptr) return TALLY_INVALID_ARGUMENT;
  int32_t count = 0;
  const int32_t status =
      tally_bins_numbers(pointer<tally_bins>(bins), numbers, capacity, &count, facts);
  facts[1] = count;
  return status;
}

jint binsRestore(JNIEnv* env, Class, jlong bins, jlong seconds, jobject numbers, jint count) {
  const auto* given =
      Span(env, numbers).as<tally_bin>(0, static_cast<size_t>(count < 0 ? 0 : count));
  return tally_bins_restore(pointer<tally_bins>(bins), seconds, given, count);
}

const JNINativeMethod kFunctions[] = {
    FUNCTION(binsCreate, "(" BUFFER ")I"),
    FUNCTION(binsDestroy, "(J)V"),
    FUNCTION(binsError, "(J)" STRING),
    FUNCTION(binsAdd, "(JD" BUFFER "I)I"),
    FUNCTION(binsCompact, "(J)I"),
    FUNCTION(binsNumbers, "(JI" BUFFER ")I"),
    FUNCTION(binsRestore, "(JJ" BUFFER "I)I"),
};

}  // namespace

Table bin_functions() { return {kFunctions, sizeof kFunctions / sizeof *kFunctions}; }

}  // namespace tally::jni
