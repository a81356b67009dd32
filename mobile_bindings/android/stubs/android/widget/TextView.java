// After the reference of android.widget.TextView, API 36.
package android.widget;

import android.content.Context;
import android.view.View;

public class TextView extends View {
    public TextView(Context context) {}
    public final void setText(CharSequence text) {}
    public CharSequence getText() { throw new Error(); }
}
