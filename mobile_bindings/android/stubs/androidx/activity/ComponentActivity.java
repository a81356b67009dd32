// After the reference of androidx.activity:activity 1.9.
package androidx.activity;

import android.app.Activity;
import androidx.activity.result.ActivityResultCallback;
import androidx.activity.result.ActivityResultLauncher;
import androidx.activity.result.contract.ActivityResultContract;
import androidx.lifecycle.Lifecycle;
import androidx.lifecycle.LifecycleOwner;
import org.jetbrains.annotations.NotNull;

public class ComponentActivity extends Activity implements LifecycleOwner {
    @Override public @NotNull Lifecycle getLifecycle() { throw new Error(); }

    public final <I, O> @NotNull ActivityResultLauncher<I> registerForActivityResult(
            @NotNull ActivityResultContract<I, O> contract, @NotNull ActivityResultCallback<O> callback) {
        throw new Error();
    }
}
