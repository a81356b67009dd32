// After the reference of androidx.activity:activity 1.9.
package androidx.activity.result;

public interface ActivityResultCallback<O> {
    void onActivityResult(O result);
}
