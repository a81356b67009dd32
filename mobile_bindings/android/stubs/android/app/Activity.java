// After the reference of android.app.Activity, API 36.
package android.app;

import android.content.Context;
import android.os.Bundle;
import android.view.View;
import org.jetbrains.annotations.Nullable;

public class Activity extends Context {
    protected void onCreate(@Nullable Bundle state) {}
    public void setContentView(View view) {}
}
