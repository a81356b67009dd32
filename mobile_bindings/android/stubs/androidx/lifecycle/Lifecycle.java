// After the reference of androidx.lifecycle:lifecycle-common 2.8.
package androidx.lifecycle;

import org.jetbrains.annotations.NotNull;

public abstract class Lifecycle {
    public abstract void addObserver(@NotNull LifecycleObserver observer);
    public abstract void removeObserver(@NotNull LifecycleObserver observer);
}
