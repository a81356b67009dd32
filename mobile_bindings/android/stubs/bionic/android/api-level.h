/* The compiler defines __ANDROID_API__ by its target; libc++ asks for nothing else of this header. */
