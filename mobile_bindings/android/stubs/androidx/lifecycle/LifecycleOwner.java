// After the reference of androidx.lifecycle:lifecycle-common 2.8.
package androidx.lifecycle;

import org.jetbrains.annotations.NotNull;

public interface LifecycleOwner {
    @NotNull Lifecycle getLifecycle();
}
