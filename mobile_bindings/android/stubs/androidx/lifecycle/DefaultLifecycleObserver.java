// After the reference of androidx.lifecycle:lifecycle-common 2.8.
package androidx.lifecycle;

import org.jetbrains.annotations.NotNull;

public interface DefaultLifecycleObserver extends LifecycleObserver {
    default void onStart(@NotNull LifecycleOwner owner) {}
    default void onStop(@NotNull LifecycleOwner owner) {}
    default void onDestroy(@NotNull LifecycleOwner owner) {}
}
