// After the reference of androidx.core:core 1.13.
package androidx.core.content;

import android.content.Context;
import java.util.concurrent.Executor;
import org.jetbrains.annotations.NotNull;

public class ContextCompat {
    public static @NotNull Executor getMainExecutor(@NotNull Context context) { throw new Error(); }
}
