// Names the one type of a browser's that age-encryption's declarations refer to and that Node has not. Nothing here uses it.
interface AuthenticationExtensionsPRFValues {
  readonly first: ArrayBuffer;
}
