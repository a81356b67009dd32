// The functions of io.tallylens.internal.Native, a table for each subject.
#ifndef TALLYLENS_FUNCTIONS_H
#define TALLYLENS_FUNCTIONS_H

#include <jni.h>

#include <cstddef>

#define BUFFER "Ljava/nio/ByteBuffer;"
#define STRING "Ljava/lang/String;"
#define FRAME BUFFER BUFFER BUFFER BUFFER
#define FUNCTION(name, signature) \
  {const_cast<char*>(#name), const_cast<char*>(signature), reinterpret_cast<void*>(name)}

namespace tally::jni {

using Class = jclass;

struct Table {
  const JNINativeMethod* functions;
  size_t count;
};

Table word_functions();
Table engine_functions();
Table detector_functions();
Table counter_functions();
Table bin_functions();
Table governor_functions();
Table offload_functions();

}  // namespace tally::jni

#endif  // TALLYLENS_FUNCTIONS_H
