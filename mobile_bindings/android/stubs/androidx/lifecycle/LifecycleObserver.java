// After the reference of androidx.lifecycle:lifecycle-common 2.8.
package androidx.lifecycle;

public interface LifecycleObserver {}
