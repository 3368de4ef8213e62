# The images, built without a registry: a root folder with the binaries, the loader and the
# libraries that they name, and the CA certificates; then the Dockerfile of the checkout.

IMAGES=$OUT/images
VERSION=$(awk -F'"' '$1 ~ /^version = / {print $2; exit}' "$CHECKOUT/Cargo.toml")
# What comes before /operator and /workers in the images' names.
IMAGE_PREFIX=boxoffice
# How their binaries are compiled: `release`, or `debug` with everything else that the checkout's tests are made of, which
# takes no build of its own (BOXOFFICE_PROFILE).
PROFILE=${BOXOFFICE_PROFILE:-release}
CHANGED_IMAGES=()
# The containerd namespace of Kubernetes.
K8S=(--namespace k8s.io)

# image_roots: compiles the binaries and lays out the images' root folders.
image_roots() {
  make --no-print-directory --directory "$CHECKOUT" web
  say "compiling the binaries ($PROFILE)"
  (cd "$CHECKOUT" && case $PROFILE in
    release) cargo build --release --quiet --locked \
      -p boxoffice-operator -p boxoffice-command -p boxoffice-consumer -p boxoffice-query -p boxoffice-notification --bins ;;
    debug) cargo build --quiet --locked --workspace --all-targets ;;
    *) die "BOXOFFICE_PROFILE is release or debug, not $PROFILE" ;;
  esac)
  image_root operator boxoffice-operator
  image_root workers boxoffice-command boxoffice-consumer boxoffice-query
  image_root notification boxoffice-notification
}

# image_root NAME BINARY...
image_root() {
  local root=$IMAGES/$1/rootfs binary
  rm -rf "$root"
  mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs"
  for binary in "${@:2}"; do
    binary=$TARGET/$PROFILE/$binary
    strip -o "$root/usr/local/bin/$(basename "$binary")" "$binary"
    # Lines of ldd: "name => /path (address)" and, for the loader, "/path (address)".
    ldd "$binary" | grep -o '/[^ ]*' | (cd / && xargs -I{} cp -L --parents {} "$root")
  done
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  echo 'boxoffice:x:65532:65532::/:/sbin/nologin' >"$root/etc/passwd"
}

# images_up FUNCTION: builds the images whose content changed, each by FUNCTION FOLDER IMAGE, and
# tells in CHANGED_IMAGES which of them took the place of another.
images_up() {
  local name content
  image_roots
  mkdir -p "$STATE/images"
  for name in operator workers notification; do
    content=$(content_of "$IMAGES/$name/rootfs")
    [[ $(cat "$STATE/images/$name" 2>/dev/null) == "$content" ]] && continue
    say "building the image boxoffice/$name:$VERSION"
    "$1" "$IMAGES/$name" "$IMAGE_PREFIX/$name:$VERSION"
    [[ ! -f $STATE/images/$name ]] || CHANGED_IMAGES+=("$name")
    echo "$content" >"$STATE/images/$name"
  done
}

# content_of FOLDER: one digest of its files' names and contents.
content_of() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1); }

# build_image DOCKERFILE CONTEXT NAME: into containerd.
build_image() {
  local archive=$STATE/image.tar
  local builder=(buildah --root "$STATE/buildah" --runroot "$RUN/buildah" --storage-driver vfs)
  rm -f "$archive"
  "${builder[@]}" bud --quiet --isolation chroot --cni-config-dir "$STATE/cni/conf" --file "$1" --tag "docker.io/$3" "$2" >/dev/null
  "${builder[@]}" push --quiet "docker.io/$3" "oci-archive:$archive:docker.io/$3"
  ctr --address "$CONTAINERD" "${K8S[@]}" image import "$archive" >/dev/null
  "${builder[@]}" rmi --all --force >/dev/null
  rm -f "$archive"
}

# import_pause_image: the program that holds a pod's namespaces, as an image.
import_pause_image() {
  [[ -n $(ctr --address "$CONTAINERD" "${K8S[@]}" image ls -q "name==docker.io/$PAUSE_IMAGE") ]] && return
  build_image "$CHECKOUT/tests/cluster/tools/pause/Dockerfile" "$(program_folder pause)" "$PAUSE_IMAGE"
}
