// After the reference of androidx.activity:activity 1.9.
package androidx.activity.result.contract;

public abstract class ActivityResultContract<I, O> {}
