// After the reference of androidx.activity:activity 1.9.
package androidx.activity.result;

public abstract class ActivityResultLauncher<I> {
    public void launch(I input) {}
}
