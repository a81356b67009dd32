// After the reference of android.view.View, API 36.
package android.view;

public class View {}
