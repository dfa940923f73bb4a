package image

import (
	"context"
	"errors"
)

func openDaemon(ctx context.Context, ref Ref, o Options) (*Image, error) {
	return nil, errors.New("this kind of source is not read yet")
}
func openContainerd(ctx context.Context, ref Ref, o Options) (*Image, error) {
	return nil, errors.New("this kind of source is not read yet")
}
func openRootfs(ctx context.Context, ref Ref, o Options) (*Image, error) {
	return nil, errors.New("this kind of source is not read yet")
}
