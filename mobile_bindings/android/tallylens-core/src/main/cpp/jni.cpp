// tally.h and tally_engine.h for io.tallylens.internal.Native: conversions only, no decision.
//
// Structs travel in direct buffers in the machine's byte order. Those without pointers have the
// layout of tally.h, which is the same on all 32-bit and 64-bit ABIs of Android (asserted where
// they are used); images and heads are given as plain numbers beside the buffers that hold their
// bytes. A create function writes the handle as 8 bytes to `out`, or the error as text that ends in
// NUL.
#include <jni.h>

#include <initializer_list>

#include "functions.h"

namespace jni = tally::jni;

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void*) {
  JNIEnv* env = nullptr;
  if (vm->GetEnv(reinterpret_cast<void**>(&env), JNI_VERSION_1_6) != JNI_OK) return JNI_ERR;
  jclass functions = env->FindClass("io/tallylens/internal/Native");
  if (functions == nullptr) return JNI_ERR;
  for (const auto table :
       {jni::word_functions, jni::engine_functions, jni::detector_functions, jni::counter_functions,
        jni::bin_functions, jni::governor_functions, jni::offload_functions}) {
    const jni::Table rows = table();
    if (env->RegisterNatives(functions, rows.functions, static_cast<jint>(rows.count)) != JNI_OK)
      return JNI_ERR;
  }
  return JNI_VERSION_1_6;
}
